"""The labels of the contrast by location alone; what fits the expression elsewhere counts up to ten times."""


def change(cfg):
    cfg.model.head.terms.contrast.type = 'projects.ablation.semantic_labels.HardContrastTerm'
