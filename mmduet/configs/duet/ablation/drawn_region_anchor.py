"""The first form of the region contrast, whose anchor is the map at the predicted box."""


def change(cfg):
    cfg.model.head.terms.contrast = dict(type='RegionContrastTerm', anchor=dict(type='RegionAnchor'))
