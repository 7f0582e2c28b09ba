"""The ranked contrast, with a weight that falls linearly to 0 at the end of 6,000 steps."""
from projects.ablation.fading_contrast import FadingContrastTerm


def change(cfg):
    cfg.model.head.terms.contrast.update(type=FadingContrastTerm, last_update=6000)
