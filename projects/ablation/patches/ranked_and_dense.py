"""The ranked contrast and the dense one together, each with the weight and temperature of the ranked one."""


def change(cfg):
    contrast = cfg.model.head.terms.contrast
    kept = {key: contrast[key] for key in ('weight', 'temperature') if key in contrast}
    cfg.model.head.terms.dense = dict(type='DenseContrastTerm', **kept)
