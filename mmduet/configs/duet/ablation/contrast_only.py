"""The region contrast alone."""


def change(cfg):
    cfg.model.head.terms.update(text=None, region=None, image=None, relation=None)
