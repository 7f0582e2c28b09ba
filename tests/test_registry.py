from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope

from mmduet.registry import MODELS


def test_components_are_reached_from_the_root_by_scope_and_from_foreign_scopes():
    with DefaultScope.overwrite_default_scope('mmdet'):
        loss = ROOT_MODELS.build(dict(type='mmduet.BoxLoss', l1_weight=5.0))
    assert loss.l1_weight == 5.0


def test_mmdetections_components_are_reached_from_ours():
    backbone = MODELS.build(dict(type='mmdet.ResNet', depth=18, num_stages=1, strides=(1, ), dilations=(1, ),
                                 out_indices=(0, )))
    assert type(backbone).__module__ == 'mmdet.models.backbones.resnet'
