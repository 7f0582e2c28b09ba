"""The student without distillation, by four expressions of an image together, for as many steps as the time of VLTVG buys."""
from projects.ablation.patches import plain_grouped


def change(cfg):
    plain_grouped.change(cfg)
    cfg.ablation.budget_factor = 1.3
