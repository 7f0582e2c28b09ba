"""Feature distillation of the target region alone."""


def change(cfg):
    cfg.model.head.terms.update(text=None, image=None, relation=None, contrast=None)
