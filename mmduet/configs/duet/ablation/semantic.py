"""The semantic half alone, text, region, image and relation: no contrast."""


def change(cfg):
    cfg.model.head.terms.update(contrast=None)
