"""The setting of the experiments on RefShapes, with the box head of the full-size students, which reads the query alone."""
from projects.ablation.settings import refshapes


def change(cfg):
    """Change a config of a tiny distilled student."""
    refshapes.change(cfg)
    cfg.model.student.box_head = dict(type='BoxHead')
