import pytest
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


@pytest.mark.parametrize(('registry', 'name', 'module'), [
    ('MODELS', 'CLIPTeacher', 'mmduet.models.teachers.clip_teacher'),
    ('MODELS', 'CachedTeacher', 'mmduet.teacher_cache.cached_teacher'),
    ('MODELS', 'CLIPPretrainer', 'mmduet.refshapes.clip_pretrainer'),
    ('MODELS', 'VisualPretrainer', 'mmduet.refshapes.visual_pretrainer'),
    ('DATASETS', 'RefShapesRegionDataset', 'mmduet.refshapes.region_dataset'),
    ('METRICS', 'RegionRetrievalMetric', 'mmduet.refshapes.region_retrieval_metric'),
])
def test_components_of_the_wings_are_found_by_name(registry, name, module):
    from mmduet import registry as registries
    found = getattr(registries, registry).get(f'mmduet.{name}')
    assert found is not None and found.__module__ == module
