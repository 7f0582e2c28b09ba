"""The region contrast over all visual tokens, with weight and temperature of the term which it takes the place of."""


def change(cfg):
    contrast = cfg.model.head.terms.contrast
    kept = {key: contrast[key] for key in ('weight', 'temperature') if key in contrast}
    cfg.model.head.terms.contrast = dict(type='DenseContrastTerm', **kept)
