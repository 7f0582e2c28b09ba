"""The samples of the region contrast are drawn at random within the classes."""


def change(cfg):
    cfg.model.head.sampler.type = 'RandomSampler'
