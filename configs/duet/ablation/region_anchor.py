"""The anchor of the region contrast is the map at the predicted box."""


def change(cfg):
    cfg.model.head.anchor.type = 'RegionAnchor'
