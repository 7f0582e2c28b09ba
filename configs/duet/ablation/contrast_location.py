"""The samples of the region contrast are drawn by location alone."""


def change(cfg):
    cfg.model.head.terms.contrast.sampler.update(type='LocationSampler')
