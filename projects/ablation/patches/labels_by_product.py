"""The labels of the ranked contrast by IoU times semantics."""
from mmduet.configs.duet.ablation import ranked


def change(cfg):
    ranked.change(cfg)
    cfg.model.head.terms.contrast.type = 'projects.ablation.semantic_labels.ProductContrastTerm'
