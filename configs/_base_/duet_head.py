"""The DUET head for a student of 256 channels and a teacher of 512 dimensions (CLIP ViT-B).

Everything here is our choice, as the paper's settings are not published; docs/method.md says how each was chosen.
Ablations are one line each: ``model.head.update(region=None)``, ``model.head.update(semantic=None)``,
``model.head.sampler.update(type=RandomSampler)``, ``model.head.anchor.update(type=RegionAnchor)``.
"""
from mmduet.models.distill import DUETHead, QueryAnchor, RegionProjector
from mmduet.models.losses import RegionContrastiveLoss, SemanticDistillLoss
from mmduet.models.task_modules import SLASampler

duet_head = dict(
    type=DUETHead,
    channels=256,
    embed_dims=512,
    semantic=dict(type=SemanticDistillLoss, text_weight=1.0, region_weight=1.0, image_weight=1.0, relation_weight=0.2,
                  temperature=0.1, gather=True),
    region=dict(type=RegionContrastiveLoss, weight=0.5, temperature=0.1, gather=False),
    anchor=dict(type=QueryAnchor),
    sampler=dict(type=SLASampler, relative=True),
    contrast_projector=dict(type=RegionProjector, reads='fused'),
    stop_gradient=False,
    warmup_steps=0)
