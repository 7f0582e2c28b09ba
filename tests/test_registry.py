import sys

import pytest
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope, Registry

from mmduet.registry import MODELS, LateRegistry

KEPT: list[LateRegistry] = []  # for the module that a test writes


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


@pytest.fixture
def late_registry(tmp_path, monkeypatch):
    (tmp_path / 'made_up_first.py').write_text('')
    (tmp_path / 'made_up_late.py').write_text('class Slow: ...\nfrom tests.test_registry import KEPT\n'
                                              'KEPT[0].register_module(module=Slow)\n')
    monkeypatch.syspath_prepend(tmp_path)
    parent = Registry('made up', scope='made_up')
    parent.register_module(name='Layer', module=dict)
    KEPT[:] = [LateRegistry('made up', ['made_up_first'], ['made_up_late'], parent=parent, scope='late')]
    yield KEPT[0]
    for name in ('made_up_first', 'made_up_late'):
        sys.modules.pop(name, None)


def test_what_is_late_is_imported_for_a_name_that_nothing_else_has(late_registry):
    assert late_registry.get('Layer') is dict
    assert ('made_up_first' in sys.modules, 'made_up_late' in sys.modules) == (True, False)
    assert late_registry.get('late.Slow') is sys.modules['made_up_late'].Slow
    assert late_registry.get('Layer') is dict


def test_what_is_late_is_imported_where_all_is_asked_for(late_registry):
    late_registry.import_from_location()
    assert {'made_up_first', 'made_up_late'} <= sys.modules.keys()
    assert 'Slow' in late_registry.module_dict


def test_a_name_that_is_taken_says_by_whom_and_what_to_do():
    MODELS.import_from_location()
    with pytest.raises(KeyError, match=r"TransVG is already registered in model at mmduet\.models\.students\.transvg: "
                                       r"give yours another name, by its class or by register_module\(name='Mine\.\.\.'\)"):
        @MODELS.register_module()
        class TransVG:
            """A student of a user."""
