import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mmduet.io.files import find_file
from mmduet.models.teachers import open_clip_models
from mmduet.models.teachers.open_clip_models import build_open_clip, register_model_config
from tests.tiny_clip_config import TEXT, VIT, write_clip_config


def build(folder, pretrained=None, **changes):
    return build_open_clip('tiny_vit', pretrained, write_clip_config(folder, **changes))


def save_weights(folder, name='weights.safetensors', **changes):
    torch.manual_seed(5)
    weights = build(folder, **changes).clip.state_dict()
    path = folder / name
    if path.suffix == '.safetensors':
        save_file({key: value.clone() for key, value in weights.items()}, path)
    else:
        torch.save({'state_dict': {f'module.{key}': value for key, value in weights.items()}}, path)
    return str(path), weights


@pytest.mark.parametrize('name', ['weights.safetensors', 'weights.pt'])
@pytest.mark.parametrize('custom_text', [False, True])
def test_weights_of_a_file_are_those_of_the_model(tmp_path, name, custom_text):
    path, weights = save_weights(tmp_path, name, custom_text=custom_text)
    loaded = build(tmp_path, path, custom_text=custom_text).clip.state_dict()
    assert loaded.keys() == weights.keys() and all(torch.equal(loaded[key], weights[key]) for key in weights)


def test_weights_in_the_plain_layout_load_into_a_model_with_a_text_module(tmp_path):
    path, weights = save_weights(tmp_path)
    loaded = build(tmp_path, path, custom_text=True).clip.state_dict()
    assert torch.equal(loaded['text.token_embedding.weight'], weights['token_embedding.weight'])


def test_without_weights_they_are_random_and_nothing_is_said_of_it(tmp_path, caplog):
    first, second = build(tmp_path), build(tmp_path)
    assert not torch.equal(first.clip.visual.proj, second.clip.visual.proj)
    assert 'pretrained' not in caplog.text


def test_a_config_file_says_what_the_model_is(tmp_path):
    built = build(tmp_path)
    assert (built.embed_dims, built.image_size, built.interpolation) == (16, (32, 32), 'bicubic')
    assert tuple(built.mean) == (0.48145466, 0.4578275, 0.40821073)
    assert built.tokenize(['a red ball']).shape == (1, 16)


def test_a_tag_decides_activation_and_statistics(tmp_path, monkeypatch):
    path, _ = save_weights(tmp_path)
    tag = dict(hf_hub='a/b/', mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0), interpolation='bilinear', quick_gelu=True)
    monkeypatch.setattr(open_clip_models.open_clip, 'get_pretrained_cfg', lambda model, name: tag)
    monkeypatch.setattr(open_clip_models, 'download_pretrained', lambda cfg: path)
    built = build(tmp_path, 'some_tag')
    assert (built.mean, built.interpolation) == ((0.1, 0.2, 0.3), 'bilinear')
    assert 'QuickGELU' in repr(built.clip.visual)


def test_the_tokenizer_folder_is_relative_to_the_config(tmp_path):
    shutil.copytree(find_file('mmduet/refshapes/tiny_clip/tokenizer'), tmp_path / 'words')
    built = build(tmp_path, text_cfg=dict(TEXT, vocab_size=77, hf_tokenizer_name='words', pool_type='eos', eos_id=3))
    assert built.tokenize(['the red circle']).shape == (1, 16)
    assert (built.tokenize(['the red circle']) == 3).sum() == 1


def test_code_beside_a_tokenizer_is_not_run_whoever_asks_for_it(tmp_path):
    tokenizer = tmp_path / 'words'
    tokenizer.mkdir()
    (tokenizer / 'own.py').write_text(f'import os\nos.mkdir({str(tmp_path / "made")!r})\nclass Own:\n    pass\n')
    (tokenizer / 'tokenizer_config.json').write_text(json.dumps({'auto_map': {'AutoTokenizer': ['own.Own', None]},
                                                                 'tokenizer_class': 'Own'}))
    settings = dict(TEXT, vocab_size=77, hf_tokenizer_name='words', pool_type='eos', eos_id=3)
    with pytest.raises(ValueError, match=r'text_cfg\.tokenizer_kwargs may hold clean, .*, not trust_remote_code'):
        build(tmp_path, text_cfg={**settings, 'tokenizer_kwargs': {'trust_remote_code': True}})
    with pytest.raises(ValueError, match=r'words: no whole tokenizer of'):
        build(tmp_path, text_cfg=settings)
    assert not (tmp_path / 'made').exists()


def test_an_unknown_model_gets_the_nearest_names():
    with pytest.raises(ValueError, match=r"no model 'ViT-B16'; nearest: ViT-B-16"):
        build_open_clip('ViT-B16')


def test_an_unknown_tag_gets_the_nearest_tags():
    with pytest.raises(ValueError, match=r"no weights 'opnai' of ViT-B-16; nearest: openai"):
        build_open_clip('ViT-B-16', 'opnai')


def test_a_file_that_is_not_there_is_named_with_what_may_stand_instead():
    with pytest.raises(FileNotFoundError, match=r'nowhere/clip.safetensors: not found.*tag of open_clip \(openai, .*--no-pre'):
        build_open_clip('ViT-B-16', 'nowhere/clip.safetensors')


def test_weights_that_cannot_be_fetched_are_named_with_ways_out(monkeypatch):
    def fail(cfg):
        raise FileNotFoundError('no route to host')

    monkeypatch.setattr(open_clip_models, 'download_pretrained', fail)
    with pytest.raises(RuntimeError, match=r'no route to host.*huggingface.co/timm/vit_base_patch16_clip_224.openai/open_clip_'
                                           r'model.safetensors or https://openaipublic.*teacher.pretrained=FILE.*--no-pretrained'):
        build_open_clip('ViT-B-16', 'openai')


def test_weights_that_need_a_tokenizer_beside_them_are_named_with_it(monkeypatch):
    def fail(cfg):
        raise FileNotFoundError('no route to host')

    monkeypatch.setattr(open_clip_models, 'download_pretrained', fail)
    with pytest.raises(RuntimeError, match=r'SigLIP2/open_clip_model.safetensors elsewhere, put it anywhere, with tokenizer.'
                                           r'json and tokenizer_config.json of https://huggingface.co/timm/ViT-B-16-SigLIP2 b'):
        build_open_clip('ViT-B-16-SigLIP2', 'webli')


def test_a_file_of_another_architecture_is_refused_with_keys_and_shapes(tmp_path):
    path, _ = save_weights(tmp_path, vision_cfg=dict(VIT, layers=3, patch_size=16))
    with pytest.raises(ValueError, match=r'not hold tiny_vit: 12 unexpected \(visual.transformer.resblocks.2.*; 2 of another '
                                         r'shape \(.*visual.conv1.weight \(32, 3, 16, 16\) instead of \(32, 3, 8, 8\)'):
        build(tmp_path, path)


def test_a_torn_file_is_refused_by_name(tmp_path):
    path, _ = save_weights(tmp_path)
    truncated = tmp_path / 'truncated.safetensors'
    truncated.write_bytes(Path(path).read_bytes()[:5000])
    with pytest.raises(ValueError, match=r'truncated\.safetensors is truncated or corrupt'):
        build(tmp_path, str(truncated))


def test_a_broken_model_config_is_refused_with_its_place(tmp_path):
    path = tmp_path / 'broken.json'
    path.write_text('{"embed_dim": 16,\n oops}')
    with pytest.raises(ValueError, match=r'broken.json: not valid JSON: .* line 2'):
        register_model_config(path)
    path.write_text(json.dumps(dict(embed_dim=16)))
    with pytest.raises(ValueError, match=r'needs vision_cfg, text_cfg'):
        register_model_config(path)
    with pytest.raises(FileNotFoundError, match=r'absent\.json'):
        register_model_config(tmp_path / 'absent.json')


@pytest.mark.parametrize(('wrong', 'right'), [('ViT-B-16-SigLIP-2', 'ViT-B-16-SigLIP2'), ('EVA-02-B-16', 'EVA02-B-16'),
                                              ('MobileCLIP2S0', 'MobileCLIP2-S0')])
def test_an_unknown_member_of_a_family_gets_the_nearest_names(wrong, right):
    with pytest.raises(ValueError, match=rf"no model '{wrong}'; nearest: .*{right}"):
        build_open_clip(wrong)


@pytest.mark.parametrize(('model', 'wrong', 'right'), [('EVA02-B-16', 'merged2b', 'merged2b_s8b_b131k'),
                                                       ('MobileCLIP2-S0', 'datacompdr', 'dfndr2b')])
def test_an_unknown_tag_of_a_family_gets_its_tags(model, wrong, right):
    with pytest.raises(ValueError, match=rf"no weights '{wrong}' of {model}; .*{right}"):
        build_open_clip(model, wrong)
