"""The region contrast over all visual tokens, all of one weight."""


def change(cfg):
    cfg.model.head.terms.contrast = dict(type='DenseContrastTerm', semantics_weight=0.0)
