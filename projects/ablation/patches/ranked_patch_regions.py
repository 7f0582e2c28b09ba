"""The ranked contrast, and regions by the teacher's patch features of the whole image, from a cache of their own."""
from mmduet.configs.duet.ablation import ranked
from projects.ablation.patches import patch_regions


def change(cfg):
    ranked.change(cfg)
    patch_regions.change(cfg)
