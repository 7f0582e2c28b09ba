"""The ranked form of the region contrast, with labels by location alone."""
from mmduet.configs.duet.ablation import ranked


def change(cfg):
    ranked.change(cfg)
    cfg.model.head.terms.contrast.sampler.update(type='LocationSampler')
