"""The dense contrast by location alone: all negatives count the same, and the teacher's semantics play no part."""
from mmduet.configs.duet.ablation import contrast_dense


def change(cfg):
    contrast_dense.change(cfg)
    cfg.model.head.terms.contrast.semantics_weight = 0
