"""Feature distillation of the expression alone."""


def change(cfg):
    cfg.model.head.terms.update(region=None, image=None, relation=None, contrast=None)
