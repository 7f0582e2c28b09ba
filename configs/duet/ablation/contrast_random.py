"""The samples of the region contrast are drawn at random within the classes."""


def change(cfg):
    cfg.model.head.terms.contrast.sampler.update(type='RandomSampler')
