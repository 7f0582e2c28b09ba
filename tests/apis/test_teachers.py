import pytest

from mmduet.apis.teachers import build_teacher, portable_teacher
from mmduet.engine.config_tools import load_config
from mmduet.models.teachers import CLIPTeacher, CropView

TINY = {'type': 'mmduet.CLIPTeacher', 'model': 'clip_tiny_refshapes',
        'model_config': 'mmduet/refshapes/tiny_clip/clip_tiny_refshapes.json',
        'pretrained': 'mmduet/refshapes/tiny_clip/clip_tiny_refshapes.safetensors',
        'views': [{'type': 'mmduet.CropView', 'scale': 1.2}]}


def test_a_teacher_of_the_package_may_stand_in_a_published_config():
    for config in ('transvg_duet_refshapes', 'transvg_duet_cached_refshapes'):
        found = portable_teacher(load_config(f'configs/duet/{config}.py').model.to_dict())
        assert found == {**TINY, 'type': CLIPTeacher, 'views': [{'type': CropView, 'scale': 1.2}]}
    assert portable_teacher({'teacher': {'clip': TINY, 'next': {'type': 'mmduet.Other'}}}) == found
    assert portable_teacher({'teacher': {'type': 'mmduet.CLIPTeacher', 'pretrained': 'openai', 'prompts': ['a photo of {}.']}})


@pytest.mark.parametrize('model', [
    {}, {'teacher': None}, {'teacher': 'clip'}, {'teacher': {**TINY, 'type': 'mmduet.TransVG'}},
    {'teacher': {**TINY, 'type': 'os.system'}}, {'teacher': {**TINY, 'pretrained': '/etc/passwd'}},
    {'teacher': {**TINY, 'pretrained': 'mmduet/../secret.pt'}}, {'teacher': {**TINY, 'model_config': 'C:\\secret.json'}},
    {'teacher': {**TINY, 'pretrained': 'mine.safetensors'}}, {'teacher': {**TINY, 'centre': 'work_dirs/means.npz'}}],
    ids=str)
def test_files_of_one_machine_and_types_that_are_no_teachers_may_not(model):
    assert portable_teacher(model) is None


def test_a_teacher_is_built_where_its_weights_are_and_nothing_is_fetched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    teacher = build_teacher(portable_teacher({'teacher': TINY}))
    assert 'similarity' in teacher.gives and not teacher.training
    monkeypatch.setattr('mmduet.apis.teachers.try_to_load_from_cache', lambda *_: None)
    assert build_teacher({'type': CLIPTeacher, 'model': 'ViT-B-16', 'pretrained': 'openai'}) is None
    assert build_teacher({'type': CLIPTeacher, 'model': 'ViT-B-16', 'pretrained': 'no_such_tag'}) is None
    assert build_teacher({'type': CLIPTeacher, 'pretrained': 'mmduet/refshapes/gone.safetensors'}) is None
