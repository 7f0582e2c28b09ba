"""The anchor of the region contrast is the map at the predicted box."""


def change(cfg):
    cfg.model.head.terms.contrast.anchor.update(type='RegionAnchor')
