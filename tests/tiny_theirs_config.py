"""A TransVG with all parts of the authors' and few channels, on canvases of 64 px."""
from mmdet.models.backbones import ResNet

from mmduet.datasets import LoadImage, PackGroundingInputs, PlaceOnCanvas, ResizeLongSide
from mmduet.models import GroundingDataPreprocessor, TransVG
from mmduet.models.layers import BertTextEncoder, BoxHead, FrozenBatchNorm2d, VisualEncoder
from mmduet.models.losses import BoxLoss

pretrain_excludes = ['refcoco_unc']
model = dict(
    type=TransVG, pretrained='checkpoints/gone.safetensors', data_preprocessor=dict(type=GroundingDataPreprocessor),
    visual_encoder=dict(
        type=VisualEncoder,
        backbone=dict(type=ResNet, depth=18, num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1, ),
                      stem_channels=16, base_channels=16, norm_eval=True, norm_cfg=dict(type=FrozenBatchNorm2d),
                      init_cfg=dict(type='Pretrained', checkpoint='gone.pth')),
        in_channels=32, channels=32, num_layers=1, heads=4, feedforward=64, dropout=0.0),
    text_encoder=dict(type=BertTextEncoder, pretrained='bert-base-uncased', max_tokens=12),
    fusion=dict(channels=32, num_layers=2, heads=4, feedforward=64, dropout=0.0), box_head=dict(type=BoxHead),
    box_loss=dict(type=BoxLoss), feature_size=8)
test_pipeline = [dict(type=LoadImage), dict(type=ResizeLongSide, sides=[64]), dict(type=PlaceOnCanvas, size=64),
                 dict(type=PackGroundingInputs)]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
