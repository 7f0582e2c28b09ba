"""The distilled tiny QRNet that every arm is a change of: data, teacher and budget are those of TransVG's ablation."""
from mmengine.config import read_base

with read_base():
    from ...ablation._base_.distilled import *
    from ...qrnet_duet_refshapes import model as qrnet

model['student'] = qrnet['student']
