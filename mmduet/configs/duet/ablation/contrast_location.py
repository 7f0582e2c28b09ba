"""The labels of the region contrast by location alone, without the teacher's semantics."""


def change(cfg):
    cfg.model.head.terms.contrast.sampler.update(type='LocationSampler')
