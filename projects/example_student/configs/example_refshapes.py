"""The FiLM grounder on RefShapes: 2 epochs, 1,000 steps of 16."""
from mmengine.config import read_base

from mmduet.models.data_preprocessor import GroundingDataPreprocessor
from mmduet.models.losses import BoxLoss
from projects.example_student.film_grounder import FiLMGrounder

with read_base():
    from mmduet.configs._base_.datasets.refshapes import *
    from mmduet.configs._base_.default_runtime import *
    from mmduet.configs._base_.models.transvg_tiny import pretrain_excludes, visual_encoder  # noqa: F401
    from mmduet.configs._base_.schedules.refshapes import *

max_epochs = 2
train_cfg.update(max_epochs=max_epochs, val_interval=1)
param_scheduler[1].update(end=max_epochs)
model = dict(
    type=FiLMGrounder, visual_encoder=visual_encoder, vocab='mmduet/refshapes/vocab.txt',
    box_loss=dict(type=BoxLoss, l1_weight=5.0, giou_weight=2.0), data_preprocessor=dict(type=GroundingDataPreprocessor),
    pretrained='mmduet/refshapes/tiny_encoder/visual_encoder_refshapes.safetensors')
