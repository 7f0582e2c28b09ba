"""The DUET head, balanced against the box loss of the tiny VLTVG, which is that of three stages (docs/method.md)."""
from mmengine.config import read_base

with read_base():
    from ..duet_head import *

duet_head.update(weight=3.4)
