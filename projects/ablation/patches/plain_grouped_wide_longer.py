"""As ``plain_grouped_longer``, where a step has 64 expressions."""
from projects.ablation.patches import plain_grouped


def change(cfg):
    plain_grouped.change(cfg)
    cfg.ablation.budget_factor = 1.6
