"""The region contrast whose negatives count by the teacher's own softmax over them, at its logit scale."""


def change(cfg):
    cfg.model.head.terms.contrast.type = 'projects.ablation.semantic_labels.SoftmaxDenseContrastTerm'
