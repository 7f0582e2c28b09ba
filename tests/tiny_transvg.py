"""A real TransVG small enough for a test, and samples for it."""
from typing import Any

import torch
from mmdet.models.backbones import ResNet
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmduet.models import GroundingDataPreprocessor, TransVG
from mmduet.models.layers import BertTextEncoder, BoxHead, VisualEncoder
from mmduet.models.losses import BoxLoss
from mmduet.structures import Canvas

SIZE = 64


def tiny_transvg_config(max_tokens: int = 12, **changes: Any) -> dict[str, Any]:
    """Config of a TransVG on 64 px canvases with an 8 x 8 map and 32 channels."""
    backbone = dict(type=ResNet, depth=18, num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1, ), stem_channels=16,
                    base_channels=16, norm_eval=True)
    bert = dict(vocab_size=2048, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64)
    config = dict(
        type=TransVG, data_preprocessor=dict(type=GroundingDataPreprocessor),
        visual_encoder=dict(type=VisualEncoder, backbone=backbone, in_channels=32, channels=32, num_layers=1, heads=4,
                            feedforward=64, dropout=0.0),
        text_encoder=dict(type=BertTextEncoder, pretrained=None, max_tokens=max_tokens, config=bert),
        fusion=dict(channels=32, num_layers=2, heads=4, feedforward=64, dropout=0.0), box_head=dict(type=BoxHead),
        box_loss=dict(type=BoxLoss), feature_size=8)
    return {**config, **changes}


def make_sample(text: str, canvas: Canvas, box: tuple[float, float, float, float], key: str = '0') -> DetDataSample:
    """A data sample as the pipeline packs it."""
    shape = (round(canvas.height / canvas.scale_y), round(canvas.width / canvas.scale_x))
    sample = DetDataSample(metainfo=dict(text=text, canvas=canvas, expression_id=key, img_id=key, img_path=f'{key}.jpg',
                                         ori_shape=shape, flip=False))
    sample.gt_instances = InstanceData(bboxes=torch.tensor([box]))
    return sample


def make_batch(seed: int = 0, texts: tuple[str, str] = ('the red circle on the left', 'big dog')) -> dict[str, Any]:
    """What a loader delivers: two images of 128 x 96 and 64 x 128 px on canvases of 64 px, expressions and boxes."""
    generator = torch.Generator().manual_seed(seed)
    wide = Canvas(size=SIZE, left=0, top=8, width=64, height=48, scale_x=0.5, scale_y=0.5)
    tall = Canvas(size=SIZE, left=16, top=0, width=32, height=64, scale_x=0.5, scale_y=0.5)
    photos = [torch.randint(0, 256, (3, c.height, c.width), generator=generator, dtype=torch.uint8) for c in (wide, tall)]
    samples = [make_sample(texts[0], wide, (10.0, 20.0, 60.0, 80.0), 'a'),
               make_sample(texts[1], tall, (0.0, 30.0, 40.0, 128.0), 'b')]
    return {'inputs': photos, 'data_samples': samples}
