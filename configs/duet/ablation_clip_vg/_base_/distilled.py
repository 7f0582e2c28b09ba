"""The distilled tiny CLIP-VG that every arm is a change of: data, teacher and budget are those of TransVG's ablation."""
from mmengine.config import read_base

with read_base():
    from ...ablation._base_.distilled import *
    from ...clip_vg_duet_refshapes import model as clip_vg

model['student'] = clip_vg['student']
