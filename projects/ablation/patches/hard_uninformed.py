"""The counterpart of hard_by_semantics: what lies elsewhere counts as much in the mean, whatever it shows."""
from mmduet.configs.duet.ablation import ranked


def change(cfg):
    ranked.change(cfg)
    cfg.model.head.terms.contrast.type = 'projects.ablation.semantic_labels.HardContrastTerm'
    cfg.model.head.terms.contrast.informed = False
