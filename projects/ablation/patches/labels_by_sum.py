"""The labels of the contrast by IoU and a share of semantics, elsewhere too."""


def change(cfg):
    cfg.model.head.terms.contrast.type = 'projects.ablation.semantic_labels.SumContrastTerm'
