"""Four expressions of an image together, for as many steps as the time of the distilled VLTVG buys."""
from mmduet.configs.duet.ablation import grouped


def change(cfg):
    grouped.change(cfg)
    cfg.ablation.budget_factor = 1.28
