"""The first form of the region contrast: a few positives and negatives drawn by the SLA sampler."""


def change(cfg):
    cfg.model.head.terms.contrast = dict(type='RegionContrastTerm')
