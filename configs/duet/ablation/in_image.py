"""The semantic half, and the relation of an expression to the annotated boxes of its image."""


def change(cfg):
    cfg.model.head.terms.update(contrast=None, in_image=dict(type='InImageRelationTerm'))
