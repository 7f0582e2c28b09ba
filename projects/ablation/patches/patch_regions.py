"""Regions by the teacher's patch features of the whole image, from a cache of their own."""
from mmduet.configs.duet.ablation import patch_regions


def change(cfg):
    patch_regions.change(cfg)
    cfg.model.teacher.cache = 'data/teacher_cache/clip_tiny_refshapes_patches'
