"""The region contrast by location alone: all negatives count the same, and the teacher's semantics play no part."""


def change(cfg):
    cfg.model.head.terms.contrast.semantics_weight = 0
