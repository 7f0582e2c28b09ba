"""The region contrast alone."""


def change(cfg):
    cfg.model.head.semantic = None
