"""Feature distillation of the expression alone."""


def change(cfg):
    cfg.model.head.region = None
    cfg.model.head.semantic.update(region_weight=0, image_weight=0, relation_weight=0)
