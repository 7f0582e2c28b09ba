"""The setting of the experiments on level parts of RefShapes, with the box head of the full-size students."""
from projects.ablation.settings import refshapes_parts


def change(cfg):
    """Change a config of a tiny distilled student."""
    refshapes_parts.change(cfg)
    cfg.model.student.box_head = dict(type='BoxHead')
