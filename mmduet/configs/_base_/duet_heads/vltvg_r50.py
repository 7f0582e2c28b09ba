"""The DUET head, balanced against the box loss of VLTVG-R50 (docs/method.md)."""
from mmengine.config import read_base

with read_base():
    from ..duet_head import *

duet_head.update(weight=8.0)
