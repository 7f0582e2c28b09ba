"""The uninformed counterpart of contrast_softmax: negatives count as much in the mean, whatever they show."""
from projects.ablation.patches import contrast_softmax


def change(cfg):
    contrast_softmax.change(cfg)
    cfg.model.head.terms.contrast.informed = False
