import json
import logging

import pytest

from mmduet.io.errors import DataError
from mmduet.models.teachers import file_facts as module
from mmduet.models.teachers.file_facts import file_facts
from mmduet.models.teachers.open_clip_models import build_open_clip
from tests.models.teachers.test_open_clip_models import build, save_weights


@pytest.fixture
def said(monkeypatch):
    heard = []
    monkeypatch.setattr(module, 'warn', heard.append)
    return heard


@pytest.mark.parametrize(('name', 'mean', 'std', 'interpolation'), [
    ('ViT-B-16-SigLIP2', 0.5, 0.5, 'bicubic'), ('MobileCLIP2-S0', 0.0, 1.0, 'bilinear'),
    ('EVA02-B-16', 0.48145466, 0.26862954, 'bicubic')])
def test_what_all_tags_of_a_model_agree_on_is_so(tmp_path, said, name, mean, std, interpolation):
    facts = file_facts(name, tmp_path / 'w.safetensors')
    assert (facts['mean'][0], facts['std'][0], facts['interpolation'], facts['quick_gelu']) == (mean, std, interpolation, False)
    assert said == []


def test_an_activation_that_nobody_says_is_warned_of_unless_the_user_says_it(tmp_path, said):
    assert 'quick_gelu' not in file_facts('ViT-B-32', tmp_path / 'w.safetensors')
    assert 'two activations' in said[0] and 'teacher.quick_gelu=True' in said[0]
    for answer in (True, False):
        file_facts('ViT-B-32', tmp_path / 'w.safetensors', answer)
    assert len(said) == 1


def test_statistics_that_tags_disagree_about_are_warned_of_and_those_of_openai_taken(tmp_path, said):
    facts = file_facts('ViT-L-14', tmp_path / 'mine.pt', True)
    assert facts['mean'] == (0.48145466, 0.4578275, 0.40821073) and facts['interpolation'] == 'bicubic'
    assert 'mine.pt does not say which' in said[0] and 'teacher.mean' in said[0]


def test_a_path_that_names_openai_and_a_config_beside_the_file_say_it(tmp_path, said):
    folder = tmp_path / 'vit_base_patch32_clip_224.openai'
    folder.mkdir()
    assert file_facts('ViT-B-32', folder / 'w.safetensors')['quick_gelu'] is True
    (folder / 'open_clip_config.json').write_text(json.dumps({
        'model_cfg': {'embed_dim': 512},
        'preprocess_cfg': {'mean': [.1, .2, .3], 'std': [1, 1, 1], 'interpolation': 'bilinear'}}))
    facts = file_facts('ViT-B-32', folder / 'w.safetensors')
    assert (facts['quick_gelu'], facts['mean'], facts['interpolation'], said) == (False, [.1, .2, .3], 'bilinear', [])
    (folder / 'open_clip_config.json').write_text('[]')
    with pytest.raises(DataError, match=r'open_clip_config\.json is no config of open_clip'):
        file_facts('ViT-B-32', folder / 'w.safetensors')


def test_the_activation_of_a_teacher_is_what_is_asked_for_or_stands_beside(tmp_path):
    path, _ = save_weights(tmp_path)
    names = [repr(build_open_clip('tiny_vit', path, quick_gelu=quick).clip.visual).count('QuickGELU')
             for quick in (None, False, True)]
    assert names[:2] == [0, 0] and names[2] > 0
    (tmp_path / 'open_clip_config.json').write_text(json.dumps({'model_cfg': {'quick_gelu': True}}))
    assert 'QuickGELU' in repr(build(tmp_path, path).clip.visual)
    with pytest.raises(ValueError, match='is defined with QuickGELU'):
        build_open_clip('ViT-B-32-quickgelu', quick_gelu=False)


def test_outside_of_a_run_it_is_said_by_pythons_logging(caplog, monkeypatch):
    monkeypatch.setattr(module.MMLogger, '_instance_dict', {})
    with caplog.at_level(logging.WARNING):
        module.warn('QuickGELU?')
    assert 'QuickGELU?' in caplog.text
