"""A tiny Grounding DINO on RefShapes: to see that all parts move, not to score."""
from mmengine.config import read_base

from mmduet.models.data_preprocessor import GroundingDataPreprocessor
from projects.grounding_dino.grounding_dino import GroundingDINOStudent
from projects.grounding_dino.language_model import GroundingBert

with read_base():
    from mmduet.configs._base_.datasets.refshapes import *
    from mmduet.configs._base_.default_runtime import *
    from mmduet.configs._base_.schedules.refshapes import *

pretrain_excludes = ['refshapes']  # random weights have seen nothing
# MMDetection's text layers have 256 channels whatever a config says, so the tiny one is slim elsewhere.
slim = dict(ffn_cfg=dict(feedforward_channels=64))
model = dict(
    type=GroundingDINOStudent,
    detector='mm_grounding_dino/refcoco/grounding_dino_swin-t_finetune_8xb4_5e_refcoco.py',
    changes=dict(
        num_queries=12,
        test_cfg=dict(max_per_img=12),
        backbone=dict(embed_dims=16, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 4], window_size=4, drop_path_rate=0.0,
                      with_cp=False),
        neck=dict(in_channels=[32, 64, 128]),
        encoder=dict(num_layers=1, layer_cfg=slim, text_layer_cfg=slim, fusion_layer_cfg=dict(embed_dim=64)),
        decoder=dict(num_layers=2, layer_cfg=slim),
        dn_cfg=dict(group_cfg=dict(num_dn_queries=8))),
    language_model=dict(
        type=GroundingBert, pretrained=None,
        config=dict(vocab_size=2048, hidden_size=64, num_hidden_layers=1, num_attention_heads=4, intermediate_size=128)),
    data_preprocessor=dict(type=GroundingDataPreprocessor),
    visual_level=0)
