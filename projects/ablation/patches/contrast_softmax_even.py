"""The uninformed counterpart of contrast_softmax: negatives count as much in the mean, whatever they show."""
from mmduet.configs.duet.ablation import contrast_softmax
from projects.ablation.patches import contrast_even


def change(cfg):
    contrast_softmax.change(cfg)
    contrast_even.change(cfg)
