"""The first form of the region contrast: a few positives and negatives drawn by the SLA sampler.

Weight and temperature stay those of the term which it takes the place of, so that forms are compared at the same ones.
"""


def replace_contrast(cfg, **term):
    """Put another term in the place of the region contrast, with its weight and temperature."""
    contrast = cfg.model.head.terms.contrast
    if contrast is None:
        raise KeyError('the head has no contrast any more whose place another could take')
    kept = {key: contrast[key] for key in ('weight', 'temperature') if key in contrast}
    cfg.model.head.terms.contrast = dict(kept, **term)


def change(cfg):
    replace_contrast(cfg, type='RegionContrastTerm')
