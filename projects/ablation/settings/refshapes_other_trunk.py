"""The setting of the experiments on RefShapes, with another CLIP as the trunk of CLIP-VG than the one that teaches.

It is trained for a third of the teacher's steps, on other images (docs/studies.md).
"""
from projects.ablation.settings import refshapes


def change(cfg):
    """Change a config of the tiny distilled CLIP-VG."""
    refshapes.change(cfg)
    cfg.model.student.pretrained = 'data/clip_other_refshapes.safetensors'
