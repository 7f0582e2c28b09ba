"""The region contrast over a ranked list of all candidates."""


def change(cfg):
    cfg.model.head.terms.contrast = dict(type='RankedContrastTerm')
