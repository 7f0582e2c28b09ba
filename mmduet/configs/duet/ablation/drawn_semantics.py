"""The first form of the region contrast, with samples drawn by semantics alone."""
from mmduet.configs.duet.ablation import drawn


def change(cfg):
    drawn.change(cfg)
    cfg.model.head.terms.contrast.update(sampler=dict(type='SemanticsSampler'))
