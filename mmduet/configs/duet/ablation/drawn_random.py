"""The first form of the region contrast, with samples drawn at random within the classes."""


def change(cfg):
    cfg.model.head.terms.contrast = dict(type='RegionContrastTerm', sampler=dict(type='RandomSampler'))
