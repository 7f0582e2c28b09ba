"""The samples of the region contrast are drawn by semantics alone."""


def change(cfg):
    cfg.model.head.terms.contrast.sampler.update(type='SemanticsSampler')
