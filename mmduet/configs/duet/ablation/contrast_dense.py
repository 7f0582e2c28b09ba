"""The region contrast over all visual tokens."""


def change(cfg):
    cfg.model.head.terms.contrast = dict(type='DenseContrastTerm')
