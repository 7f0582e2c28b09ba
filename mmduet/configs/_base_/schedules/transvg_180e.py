"""The schedule of TransVG's authors for RefCOCO+: 180 epochs, a tenth of the rate after 120."""
from mmengine.config import read_base

with read_base():
    from .transvg_90e import *

train_cfg.update(max_epochs=180)
param_scheduler[0].update(milestones=[120])
