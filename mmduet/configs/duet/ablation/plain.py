"""The student without distillation."""


def change(cfg):
    cfg.model = cfg.model.student
