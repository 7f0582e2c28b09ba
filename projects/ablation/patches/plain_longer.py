"""The student without distillation, for as many steps as the time of the distilled experiment buys."""


def change(cfg):
    cfg.model = cfg.model.student
    cfg.ablation.budget_factor = 1.13
