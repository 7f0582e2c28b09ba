import importlib.util
import json
import sys

import pytest
import torch

from mmduet.models.teachers import CLIPTeacher
from mmduet.teacher_cache.identity import identify_teacher, width_of
from mmduet.teacher_cache.store import differences
from projects.ablation.control_teachers import ShuffledTeacher, UntrainedTeacher
from tests.tiny_clip_config import write_clip_config


def test_defaults_are_part_of_the_identity_and_the_order_of_arguments_is_not():
    first = identify_teacher(dict(type=CLIPTeacher, model='ViT-B-16', pretrained=None))
    second = identify_teacher(dict(pretrained=None, views=[dict(type='mmduet.CropView')],
                                   type='mmduet.CLIPTeacher', model='ViT-B-16'))
    assert first == second
    assert first == {'type': 'CLIPTeacher', 'model': 'ViT-B-16', 'weights': 'random', 'model_config': None,
                     'views': [{'type': 'CropView', 'scale': 1.2}], 'prompts': ['{}'], 'centre': None, 'image_size': None,
                     'precision': 'float32', 'mean': None, 'std': None}


@pytest.mark.parametrize('native', [True, False])
def test_a_teacher_that_fits_the_machine_is_the_same_on_every_machine(monkeypatch, native):
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: {'avx512_bf16': native}, raising=False)
    assert identify_teacher(dict(type=CLIPTeacher, pretrained=None, precision='auto'))['precision'] == 'auto'


def test_files_count_by_what_they_hold_and_tags_by_their_name(tmp_path):
    weights = tmp_path / 'a.pt'
    weights.write_bytes(b'abc')
    config = write_clip_config(tmp_path)
    identity = identify_teacher(dict(type=CLIPTeacher, model='tiny_vit', model_config=config, pretrained=str(weights)))
    assert identity['weights'] == 'SHA-256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    copied = tmp_path / 'copy.json'
    copied.write_text(json.dumps(json.loads((tmp_path / 'tiny_vit.json').read_text()), indent=4))
    again = identify_teacher(dict(type=CLIPTeacher, model='tiny_vit', model_config=str(copied), pretrained=str(weights)))
    assert again == identity
    assert identify_teacher(dict(type=CLIPTeacher, pretrained='openai'))['weights'] == 'tag openai'
    absent = identify_teacher(dict(type=CLIPTeacher, pretrained='far/away.pt'))
    assert absent['weights'] == 'a file that is not here (away.pt)'


def test_a_path_that_tells_the_activation_counts_and_one_that_tells_nothing_new_does_not(tmp_path):
    paths = [tmp_path / folder / 'a.pt' for folder in ('weights', 'OpenAI')]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(b'abc')

    def weights(model):
        return [identify_teacher(dict(type=CLIPTeacher, model=model, pretrained=str(path)))['weights'] for path in paths]

    plain, named = weights('ViT-B-32')  # GELU and QuickGELU
    assert named == f"{plain}, OpenAI's by its path"
    for model in ('RN50x4', 'ViT-B-16-SigLIP2', 'tiny_vit'):  # OpenAI's alone, never OpenAI's, unknown to open_clip
        assert weights(model) == [plain, plain]
    (paths[1].parent / 'open_clip_config.json').write_text(json.dumps({'model_cfg': {'quick_gelu': True}, 'preprocess_cfg': {
        'mean': [0.5] * 3, 'std': [0.5] * 3, 'interpolation': 'bicubic'}}))
    assert weights('ViT-B-32')[1].startswith(f'{plain} with open_clip_config.json') and 'path' not in weights('ViT-B-32')[1]


def test_statistics_and_nested_teachers_are_plain_values():
    config = dict(type=CLIPTeacher, pretrained=None, mean=(0.5, 0.5, 0.5))
    assert identify_teacher(config)['mean'] == [0.5, 0.5, 0.5]
    nested = identify_teacher(dict(type=UntrainedTeacher, teacher=config))
    assert nested['teacher'] == identify_teacher(config)
    json.dumps(nested)


OWN = """
from mmduet.models.teachers import CLIPTeacher

def lengthen(text):
    return text + ' please'

class OwnTeacher(CLIPTeacher):
    def __init__(self, *args, strength=2.0, **kwargs):
        super().__init__(*args, **kwargs)

    def embed_texts(self, texts):
        return super().embed_texts([lengthen(text) for text in texts])
"""


def own_teacher(folder, program):
    (folder / 'own_teacher.py').write_text(program)
    spec = importlib.util.spec_from_file_location('own_teacher', folder / 'own_teacher.py')
    module = importlib.util.module_from_spec(spec)
    sys.modules['own_teacher'] = module  # where inspect looks for a class's file
    spec.loader.exec_module(module)
    return module.OwnTeacher


def test_what_a_subclass_hands_on_counts_as_it_does_for_its_base(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'own_teacher', None)
    (tmp_path / 'a.pt').write_bytes(b'abc')
    config = dict(model='ViT-B-16', pretrained=str(tmp_path / 'a.pt'), views=[dict(type='mmduet.CropView', scale=1.5)])
    own = identify_teacher(dict(type=own_teacher(tmp_path, OWN), **config))
    base = identify_teacher(dict(type=CLIPTeacher, **config))
    assert {**own, **base} == {**own, 'type': 'CLIPTeacher'}
    assert own['strength'] == 2.0 and not {'args', 'kwargs', 'pretrained'} & own.keys()
    json.dumps(own)


def test_the_code_of_a_subclass_counts_and_its_comments_do_not(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'own_teacher', None)
    first, commented, changed = (identify_teacher(dict(type=own_teacher(tmp_path, program))) for program in (
        OWN, OWN.replace('return text', '# politely\n    return text'), OWN.replace('please', 'now')))
    assert first == commented
    assert differences(first, changed) == [
        f"code.own_teacher.py is {first['code']['own_teacher.py']!r} in the cache and {changed['code']['own_teacher.py']!r} in "
        'the config']
    assert 'code' not in identify_teacher(dict(type=CLIPTeacher))


def test_the_code_of_a_mixin_counts_wherever_it_stands_among_the_bases(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'own_teacher', None)
    monkeypatch.setitem(sys.modules, 'own_mixin', None)
    monkeypatch.syspath_prepend(str(tmp_path))
    codes = []
    for bases in ('CLIPTeacher, Polite', 'Polite, CLIPTeacher'):
        for word in ('please', 'now'):
            (tmp_path / 'own_mixin.py').write_text(f'class Polite:\n    word = {word!r}\n')
            sys.modules.pop('own_mixin', None)
            kind = own_teacher(tmp_path, 'from mmduet.models.teachers import CLIPTeacher\nfrom own_mixin import Polite\n'
                               f'class OwnTeacher({bases}):\n    pass\n')
            codes.append(identify_teacher(dict(type=kind))['code'])
    assert [code.keys() for code in codes] == [{'own_teacher.py', 'own_mixin.py'}] * 4
    assert codes[0]['own_mixin.py'] == codes[2]['own_mixin.py'] != codes[1]['own_mixin.py'] == codes[3]['own_mixin.py']


def test_files_of_one_name_in_two_folders_both_count(tmp_path, monkeypatch):
    names = ('own_teacher', 'parts', 'parts.own_teacher')
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / 'parts').mkdir()
    (tmp_path / 'parts/__init__.py').write_text('')
    codes = []
    for inner, outer in (('please', 1), ('now', 1), ('please', 2), ('please', 1)):
        (tmp_path / 'parts/own_teacher.py').write_text(f'class Polite:\n    word = {inner!r}\n')
        for name in names:
            sys.modules.pop(name, None)
        kind = own_teacher(tmp_path, 'from mmduet.models.teachers import CLIPTeacher\nfrom parts.own_teacher import Polite\n'
                           f'class OwnTeacher(Polite, CLIPTeacher):\n    number = {outer}\n')
        codes.append(identify_teacher(dict(type=kind))['code'])
    assert [code.keys() for code in codes] == [{'own_teacher.py'}] * 4
    assert codes[0] == codes[3] and len({code['own_teacher.py'] for code in codes}) == 3


def test_an_argument_that_the_teacher_does_not_take_is_refused():
    with pytest.raises(TypeError, match='contxt'):
        identify_teacher(dict(type=CLIPTeacher, contxt=1.2))


def test_the_width_is_that_of_the_model_that_is_not_built(tmp_path):
    own = dict(type=CLIPTeacher, model='tiny_vit', model_config=write_clip_config(tmp_path, embed_dim=24))
    assert width_of(own) == 24
    assert width_of(dict(type=ShuffledTeacher, teacher=dict(type=UntrainedTeacher, teacher=own))) == 24
    assert width_of(dict(type=CLIPTeacher, model='ViT-B-16-quickgelu', pretrained='openai')) == 512
    assert width_of(dict(type=CLIPTeacher, model='ViT-L-14', model_config=None)) == 768


def test_the_width_of_a_teacher_that_open_clip_does_not_know_is_not_guessed():
    assert width_of(dict(type='a teacher of boxes')) is None
    assert width_of(dict(type=CLIPTeacher, model='no such model')) is None
