"""The ranked form of the region contrast, with weight and temperature of the term which it takes the place of."""


def change(cfg):
    contrast = cfg.model.head.terms.contrast
    kept = {key: contrast[key] for key in ('weight', 'temperature') if key in contrast}
    cfg.model.head.terms.contrast = dict(type='RankedContrastTerm', **kept, sampler=dict(type='SLASampler'))
