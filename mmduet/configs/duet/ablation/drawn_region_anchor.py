"""The first form of the region contrast, whose anchor is the map at the predicted box."""
from mmduet.configs.duet.ablation import drawn


def change(cfg):
    drawn.change(cfg)
    cfg.model.head.terms.contrast.update(anchor=dict(type='RegionAnchor'))
