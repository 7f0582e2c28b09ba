"""MMDetection's Grounding DINO with Swin-T, fine-tuned on RefCOCO (unc split) with its rates for 5 epochs."""
from mmengine.config import read_base

from mmduet.datasets import (
    LoadImage, PackGroundingInputs, PlaceOnCanvas, QuickResizeLongSide, RandomTargetCrop, ResizeLongSide)
from mmduet.models.data_preprocessor import GroundingDataPreprocessor
from projects.grounding_dino.grounding_dino import GroundingDINOStudent
from projects.grounding_dino.language_model import GroundingBert

with read_base():
    from mmduet.configs._base_.datasets.refcoco_unc import *
    from mmduet.configs._base_.default_runtime import *
    from mmduet.configs._base_.schedules.transvg_90e import *

model = dict(
    type=GroundingDINOStudent,
    detector='mm_grounding_dino/refcoco/grounding_dino_swin-t_finetune_8xb4_5e_refcoco.py',
    # MMDetection's file for the config above, which its model zoo names.
    pretrained='checkpoints/grounding_dino_swin-t_pretrain_obj365_goldg_grit9m_v3det.pth',
    language_model=dict(type=GroundingBert, pretrained='bert-base-uncased', vocab=None),
    data_preprocessor=dict(type=GroundingDataPreprocessor))

# A photo of 4 : 3 has MMDetection's sizes: 480 to 800 pixels on the short side in training, 800 in testing.
pack = [dict(type=PlaceOnCanvas, size=1088), dict(type=PackGroundingInputs)]
test_pipeline = [dict(type=LoadImage), dict(type=ResizeLongSide, sides=[1066]), *pack]
train_pipeline = [
    dict(type=LoadImage),
    dict(type=RandomTargetCrop, prob=0.5, short_sides=[400, 500, 600], crop_range=[384, 600]),
    dict(type=QuickResizeLongSide, sides=[640, 683, 725, 768, 811, 853, 896, 939, 981, 1024, 1066]), *pack]
train_dataloader.update(batch_size=4)
train_dataloader['dataset'].update(pipeline=train_pipeline)
val_dataloader.update(batch_size=4)
val_dataloader['dataset'].update(pipeline=test_pipeline)
test_dataloader.update(batch_size=4)
test_dataloader['dataset'].update(pipeline=test_pipeline)

# For 32 expressions per step, eight GPUs with four each. The key `backbone` covers the language backbone too, as in theirs.
train_cfg.update(max_epochs=5)
optim_wrapper.update(clip_grad=dict(max_norm=0.1), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
optim_wrapper['optimizer'].update(lr=2e-4)
param_scheduler[0].update(milestones=[3])
auto_scale_lr.update(base_batch_size=32)
