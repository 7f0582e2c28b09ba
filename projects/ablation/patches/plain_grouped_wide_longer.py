"""The plain student, four expressions of an image together, for as many steps of 64 as the time of one at a time buys."""
from projects.ablation.patches import plain_grouped


def change(cfg):
    plain_grouped.change(cfg)
    cfg.ablation.budget_factor = 1.6
