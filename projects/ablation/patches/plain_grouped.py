"""The student without distillation, by four expressions of an image together."""
from mmduet.configs.duet.ablation import grouped


def change(cfg):
    grouped.change(cfg)
    cfg.model = cfg.model.student
