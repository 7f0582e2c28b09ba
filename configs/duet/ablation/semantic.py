"""The semantic half alone: text, region, image and relation."""


def change(cfg):
    cfg.model.head.region = None
