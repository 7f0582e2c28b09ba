"""QRNet with Swin-S on ReferItGame."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.referit import *
    from .._base_.default_runtime import *
    from .._base_.models.qrnet_swin_s import *
    from .._base_.schedules.qrnet_180e import *

# The public Mask R-CNN. Nobody compared the images of ReferItGame with those of COCO, so the data overlap is unknown.
model.pretrained = 'checkpoints/mask_rcnn_swin_small.safetensors'
pretrain_excludes = None
