"""Four expressions of an image together, which share one view of it: it is encoded once for all of them."""


def change(cfg):
    cfg.train_dataloader.sampler = dict(type='mmduet.ImageGroupSampler', expressions_per_image=4)
