"""Feature distillation of the target region alone."""


def change(cfg):
    cfg.model.head.region = None
    cfg.model.head.semantic.update(text_weight=0, image_weight=0, relation_weight=0)
