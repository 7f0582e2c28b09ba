"""Blocks that students share."""
from mmduet.models.layers.box_head import BoxHead, ReferenceBoxHead
from mmduet.models.layers.clip_encoders import CLIPTextEncoder, CLIPVisualEncoder
from mmduet.models.layers.frozen_batch_norm import FrozenBatchNorm2d
from mmduet.models.layers.projector import PlacedRegionProjector, Projector
from mmduet.models.layers.text_encoder import BertTextEncoder
from mmduet.models.layers.transformer import TransformerEncoder
from mmduet.models.layers.visual_encoder import VisualEncoder

__all__ = ['BertTextEncoder', 'BoxHead', 'CLIPTextEncoder', 'CLIPVisualEncoder', 'FrozenBatchNorm2d', 'PlacedRegionProjector',
           'Projector', 'ReferenceBoxHead', 'TransformerEncoder', 'VisualEncoder']
