"""Full DUET without the relation term."""


def change(cfg):
    cfg.model.head.terms.update(relation=None)
