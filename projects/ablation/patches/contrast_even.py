"""The uninformed counterpart of the contrast: negatives count as much in the mean, whatever they show."""


def change(cfg):
    cfg.model.head.terms.contrast.type = 'projects.ablation.semantic_labels.EvenDenseContrastTerm'
