"""Full DUET with the map at the predicted box as anchor, and the gradient of the contrast into the box."""


def change(cfg):
    cfg.model.head.terms.contrast.anchor.update(type='projects.ablation.box_gradient_anchor.BoxGradientAnchor')
