"""EMA regions on top of the ranked contrast: regions of an averaged student as targets, a predictor on the anchor."""
from mmduet.configs.duet.ablation import ranked
from projects.ablation.averaged_regions import AveragedRegionsTerm, AveragedStudentGrounder


def change(cfg):
    ranked.change(cfg)
    cfg.model.type = AveragedStudentGrounder
    cfg.model.head.terms.contrast.type = AveragedRegionsTerm
