"""The first form of the region contrast, with samples drawn by semantics alone."""


def change(cfg):
    cfg.model.head.terms.contrast = dict(type='RegionContrastTerm', sampler=dict(type='SemanticsSampler'))
