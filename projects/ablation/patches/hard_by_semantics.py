"""The labels of the ranked contrast by location alone; what fits the expression elsewhere counts up to ten times."""
from mmduet.configs.duet.ablation import ranked


def change(cfg):
    ranked.change(cfg)
    cfg.model.head.terms.contrast.type = 'projects.ablation.semantic_labels.HardContrastTerm'
