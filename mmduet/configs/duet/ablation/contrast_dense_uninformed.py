"""The region contrast over all visual tokens, all of one weight."""
from mmduet.configs.duet.ablation import contrast_dense


def change(cfg):
    contrast_dense.change(cfg)
    cfg.model.head.terms.contrast.update(semantics_weight=0.0)
