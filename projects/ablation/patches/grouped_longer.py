"""Four expressions of an image together, distilled, for as many steps of 64 as the time of one at a time buys."""
from mmduet.configs.duet.ablation import grouped


def change(cfg):
    grouped.change(cfg)
    cfg.ablation.budget_factor = 1.37
