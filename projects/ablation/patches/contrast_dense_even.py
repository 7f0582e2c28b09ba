"""The counterpart of contrast_dense: negatives count as much in the mean, whatever they show."""
from mmduet.configs.duet.ablation import contrast_dense


def change(cfg):
    contrast_dense.change(cfg)
    cfg.model.head.terms.contrast.type = 'projects.ablation.semantic_labels.EvenDenseContrastTerm'
