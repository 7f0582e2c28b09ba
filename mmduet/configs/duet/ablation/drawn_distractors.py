"""The first form of the region contrast, whose negatives are the other annotated objects, and random regions."""


def change(cfg):
    cfg.model.head.terms.contrast = dict(type='RegionContrastTerm', sampler=dict(type='DistractorSampler'))
