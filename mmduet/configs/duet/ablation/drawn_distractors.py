"""The first form of the region contrast, whose negatives are the other annotated objects, and random regions."""
from mmduet.configs.duet.ablation import drawn


def change(cfg):
    drawn.change(cfg)
    cfg.model.head.terms.contrast.update(sampler=dict(type='DistractorSampler'))
