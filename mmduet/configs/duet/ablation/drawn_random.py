"""The first form of the region contrast, with samples drawn at random within the classes."""
from mmduet.configs.duet.ablation import drawn


def change(cfg):
    drawn.change(cfg)
    cfg.model.head.terms.contrast.update(sampler=dict(type='RandomSampler'))
