"""The first form of the contrast with the map at the predicted box as anchor, and its gradient into the box."""


def change(cfg):
    cfg.model.head.terms.contrast = dict(
        type='RegionContrastTerm', anchor=dict(type='projects.ablation.box_gradient_anchor.BoxGradientAnchor'))
