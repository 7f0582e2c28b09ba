"""The labels of the contrast by IoU times semantics."""


def change(cfg):
    cfg.model.head.terms.contrast.type = 'projects.ablation.semantic_labels.ProductContrastTerm'
