"""Full DUET without the relation term."""


def change(cfg):
    cfg.model.head.semantic.relation_weight = 0
