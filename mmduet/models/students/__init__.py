"""Grounding students."""
from mmduet.models.students.clip_vg import CLIPVG
from mmduet.models.students.qrnet import QRNet
from mmduet.models.students.transvg import TransVG
from mmduet.models.students.vltvg import VLTVG

__all__ = ['CLIPVG', 'VLTVG', 'QRNet', 'TransVG']
