"""The negatives of the region contrast are the other annotated objects of the image, and random regions."""


def change(cfg):
    cfg.model.head.terms.contrast.sampler.update(type='DistractorSampler')
