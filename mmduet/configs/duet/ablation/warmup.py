"""All losses of the head grow to full weight over the first 300 updates, a tenth of the RefShapes recipes."""


def change(cfg):
    cfg.model.head.warmup_steps = 300
