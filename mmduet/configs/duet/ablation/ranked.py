"""The ranked form of the region contrast, with weight and temperature of the term which it takes the place of."""
from mmduet.configs.duet.ablation.drawn import replace_contrast


def change(cfg):
    replace_contrast(cfg, type='RankedContrastTerm', sampler=dict(type='SLASampler'))
