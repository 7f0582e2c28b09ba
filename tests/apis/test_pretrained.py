import json
import os
import resource
import subprocess
import sys
from dataclasses import replace

import huggingface_hub.constants as hub
import numpy as np
import pytest
import torch
from mmengine.registry import MODEL_WRAPPERS
from safetensors import safe_open

import mmduet
from mmduet.apis import GroundingInferencer, PretrainedGrounder, checkpoints
from mmduet.apis.teachers import portable_teacher
from mmduet.engine import CheckpointError
from mmduet.engine.config_tools import ConfigError, load_config
from mmduet.io.errors import DataError
from mmduet.io.failures import describe_failure
from mmduet.io.safetensors_files import write_safetensors
from mmduet.models.conversion import TRANSVG
from mmduet.refshapes import VOCABULARY_FILE
from mmduet.registry import MODELS
from tests.apis.made_checkpoint import write_checkpoint
from tests.hub_stand_in import HubHandler, serving
from tests.limits import limited
from tests.shared_data import ROOT

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 64, 3), dtype=np.uint8)
TEXTS = ['the red circle', 'the leftmost ring']


def boxes(grounder):
    return [result.box for result in GroundingInferencer(grounder)(IMAGE, TEXTS, channel_order='rgb')]


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp('made') / 'best.pth')


@pytest.fixture(scope='module')
def folder(checkpoint):
    PretrainedGrounder.from_pretrained(checkpoint).save_pretrained(checkpoint.parent / 'model')
    return checkpoint.parent / 'model'


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, 'HF_HUB_OFFLINE', True)


def test_a_checkpoint_is_enough_and_its_folder_gives_the_same_boxes(checkpoint, folder):
    assert sorted(file.name for file in folder.iterdir()) == ['README.md', 'config.json', 'model.safetensors', 'vocab.txt']
    first, second = boxes(PretrainedGrounder.from_pretrained(checkpoint)), boxes(PretrainedGrounder.from_pretrained(folder))
    assert first == second
    assert len(set(first)) == 2
    assert (folder / 'vocab.txt').read_text() == VOCABULARY_FILE.read_text()


def test_the_config_is_plain_and_the_weights_say_where_they_come_from(folder):
    config = json.loads((folder / 'config.json').read_text())
    assert config['model']['type'] == 'mmduet.TransVG'
    assert config['model']['pretrained'] is None
    assert config['model']['text_encoder']['vocab'] == 'vocab.txt'
    assert [step['type'] for step in config['test_pipeline']] == ['mmduet.LoadImage', 'mmduet.ResizeLongSide',
                                                                  'mmduet.PlaceOnCanvas', 'mmduet.PackGroundingInputs']
    with safe_open(folder / 'model.safetensors', 'pt') as file:
        metadata = file.metadata()
    assert metadata['mmduet_version'] == mmduet.__version__
    assert metadata['torch_version'] == torch.__version__
    assert metadata['host'] in ('onedl', 'openmmlab')
    assert json.loads(metadata['pretrain_excludes']) == ['refshapes']
    card = (folder / 'README.md').read_text()
    assert card.startswith('---\nlibrary_name: mmduet\ntags:\n- visual-grounding\n')
    assert 'has seen no val and test images of: refshapes.' in card
    assert 'expressions of up to 16 tokens' in card


def test_a_model_goes_to_the_hub_and_comes_back_and_then_needs_no_network(folder, tmp_path, monkeypatch):
    grounder = PretrainedGrounder.from_pretrained(folder)
    with serving(HubHandler) as server:
        monkeypatch.setattr(hub, 'HF_HUB_OFFLINE', False)
        monkeypatch.setattr(hub, 'ENDPOINT', server.url)
        monkeypatch.setattr(hub, 'HUGGINGFACE_CO_URL_TEMPLATE', server.url + '/{repo_id}/resolve/{revision}/{filename}')
        url = grounder.save_pretrained(tmp_path / 'tiny', repo_id='someone/tiny', push_to_hub=True, token='hf_not_a_token')
        assert str(url).startswith(f'{server.url}/someone/tiny/commit/')
        assert sorted(server.files) == [f'someone/tiny/{name}' for name in ('README.md', 'config.json', 'model.safetensors',
                                                                           'vocab.txt')]
        assert "GroundingInferencer('someone/tiny')" in server.files['someone/tiny/README.md'].decode()
        fetched = PretrainedGrounder.from_pretrained('someone/tiny', cache_dir=tmp_path / 'cache')
        with pytest.raises(FileNotFoundError, match=r'there is no folder or checkpoint someone/other, and config\.json'):
            PretrainedGrounder.from_pretrained('someone/other', cache_dir=tmp_path / 'cache')
    assert boxes(fetched) == boxes(grounder)
    offline = PretrainedGrounder.from_pretrained('someone/tiny', cache_dir=tmp_path / 'cache', local_files_only=True)
    assert boxes(offline) == boxes(grounder)


def test_a_disk_that_refuses_the_weights_leaves_the_saved_model_as_it_was(folder, tmp_path):
    grounder = PretrainedGrounder.from_pretrained(folder)
    grounder.save_pretrained(tmp_path / 'saved')
    (tmp_path / 'saved/README.md').write_text('mine')
    before = {file.name: file.read_bytes() for file in (tmp_path / 'saved').iterdir()}
    grounder.description = replace(grounder.description, notice='Another.')
    with limited(resource.RLIMIT_FSIZE, 20_000), pytest.raises(OSError, match='File too large') as caught:
        grounder.save_pretrained(tmp_path / 'saved')
    assert describe_failure(caught.value).startswith(f'{tmp_path}/saved/model.safetensors cannot be written')
    assert {file.name: file.read_bytes() for file in (tmp_path / 'saved').iterdir()} == before
    assert grounder.save_pretrained(str(tmp_path / 'saved')) is None
    assert PretrainedGrounder.from_pretrained(tmp_path / 'saved').description.notice == 'Another.'
    assert (tmp_path / 'saved/README.md').read_text() == 'mine'
    with pytest.raises(ConfigError, match='save_pretrained takes no config'):
        grounder.save_pretrained(tmp_path / 'saved', config={})


def test_what_is_no_model_is_named(folder, checkpoint, tmp_path):
    cases = [(tmp_path / 'bets.pth', FileNotFoundError, r'there is no checkpoint or folder .*bets\.pth; nearest: best'),
             (tmp_path, FileNotFoundError, r'holds no config\.json: it is no folder of save_pretrained'),
             ('a/b/c', FileNotFoundError, 'there is no checkpoint or folder a/b/c')]
    (tmp_path / 'best.pth').write_bytes(checkpoint.read_bytes()[:5000])
    for name, kind, message in [(tmp_path / 'best.pth', DataError, 'truncated or corrupt'), *cases]:
        with pytest.raises(kind, match=message):
            PretrainedGrounder.from_pretrained(name)
    torch.save({'state_dict': {'other.weight': torch.ones(1)}}, tmp_path / 'other.pth')
    with pytest.raises(ConfigError, match=r'other\.pth holds no config, and is not of the authors'):
        PretrainedGrounder.from_pretrained(tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match=r'other\.pth is a checkpoint of another model than TransVG'):
        PretrainedGrounder.from_pretrained(tmp_path / 'other.pth', config=ROOT / 'mmduet/configs/transvg/transvg_refshapes.py')


@pytest.mark.parametrize(('change', 'message'), [
    (lambda config: config['model'].update(type='os.system'), "names the type 'os.system', which no registry knows"),
    (lambda config: config['model']['text_encoder'].update(vocab='/etc/passwd'), "names the vocabulary '/etc/passwd'"),
    (lambda config: config.update(format=2), r'has format 2; mmduet .* reads format 1'),
    (lambda config: config.pop('test_pipeline'), 'it is not of a grounder of mmduet')])
def test_a_config_that_would_do_something_else_is_refused(folder, tmp_path, change, message):
    config = json.loads((folder / 'config.json').read_text())
    change(config)
    for name in ('model.safetensors', 'vocab.txt'):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / 'config.json').write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=message):
        PretrainedGrounder.from_pretrained(tmp_path)


def theirs(folder):
    """A checkpoint as TransVG's authors write it, of a student with a tiny BERT, and that student's boxes."""
    config = load_config(ROOT / 'tests/tiny_theirs_config.py')
    text = config.model.text_encoder
    config.model.pretrained, text.pretrained, text.vocab = None, None, str(VOCABULARY_FILE)
    text.config = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=1, intermediate_size=96)
    text.max_tokens = 17
    torch.manual_seed(1)
    student = MODELS.build(config.model).eval()
    prefixes = {ours: name for name, ours in TRANSVG.prefixes.items()}
    weights = {next(name + key.removeprefix(ours) for ours, name in prefixes.items() if key.startswith(ours)): value
               for key, value in student.state_dict().items()}
    torch.save({'model': weights, 'epoch': 3}, folder / 'TransVG_unc_R50.pth')
    return PretrainedGrounder.from_model(student, config)


def test_the_authors_file_is_converted_on_the_way(tmp_path, monkeypatch):
    made = theirs(tmp_path)
    monkeypatch.setitem(checkpoints.FULL_SIZE, ('transvg', 50), str(ROOT / 'tests/tiny_theirs_config.py'))
    with pytest.raises(FileNotFoundError, match=r'TransVG_unc_R50\.pth holds no vocabulary, and that of bert-base-uncased is '
                                                r'neither here nor can it be fetched .*: give the path of its vocab\.txt'):
        PretrainedGrounder.from_pretrained('TransVG_unc_R50.pth')
    grounder = PretrainedGrounder.from_pretrained('TransVG_unc_R50.pth', vocabulary=VOCABULARY_FILE)
    assert boxes(grounder) == boxes(made)
    assert grounder.student.text_encoder.max_tokens == 17
    assert grounder.description.pretrain_excludes is None
    grounder.save_pretrained('saved')
    assert boxes(PretrainedGrounder.from_pretrained('saved')) == boxes(made)


def test_the_package_offers_both_without_importing_them_first():
    code = ('import sys, mmduet; assert "mmduet.apis" not in sys.modules; from mmduet import GroundingInferencer; '
            'print(GroundingInferencer.__name__)')
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env=environment)
    assert done.stdout == 'GroundingInferencer\n', done.stderr


def test_the_weights_alone_are_enough(checkpoint, folder, tmp_path):
    (tmp_path / 'alone.safetensors').write_bytes((folder / 'model.safetensors').read_bytes())
    alone = PretrainedGrounder.from_pretrained(tmp_path / 'alone.safetensors')
    assert boxes(alone) == boxes(PretrainedGrounder.from_pretrained(checkpoint))
    assert alone.description.pretrain_excludes == ['refshapes'] and alone.description.versions['mmduet'] == mmduet.__version__
    config = ROOT / 'configs/transvg/transvg_refshapes.py'
    again = PretrainedGrounder.from_pretrained(tmp_path / 'alone.safetensors', config=config)
    assert boxes(again) == boxes(alone)
    write_safetensors(tmp_path / 'bare.safetensors', {'a': torch.ones(1)}, {'config': '{"format": 1}'})
    with pytest.raises(ConfigError, match=r'the config in .*bare\.safetensors has no model and test_pipeline'):
        PretrainedGrounder.from_pretrained(tmp_path / 'bare.safetensors')


def test_what_everybody_must_know_and_the_teacher_travel_with_the_model(folder, tmp_path, capsys):
    grounder = PretrainedGrounder.from_pretrained(folder)
    teacher = portable_teacher(load_config('configs/duet/transvg_duet_refshapes.py').model.to_dict())
    grounder.description = replace(grounder.description, teacher=teacher, notice='Knows <nothing>.')
    grounder.save_pretrained(tmp_path / 'model')
    card = (tmp_path / 'model/README.md').read_text()
    assert '**Knows <nothing>.**' in card and 'distilled from the teacher CLIPTeacher clip_tiny_refshapes' in card
    read = PretrainedGrounder.from_pretrained(tmp_path / 'model').description
    assert capsys.readouterr().err == 'Knows <nothing>.\n'
    assert read.teacher == teacher and read.notice == 'Knows <nothing>.'
    assert PretrainedGrounder.from_pretrained(tmp_path / 'model/model.safetensors').description.teacher == teacher
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('model', [torch.nn.Linear(1, 1), {'type': 'TransVG'}, 3])
def test_a_model_in_memory_is_no_name_of_one(model):
    with pytest.raises(TypeError, match=f'got a {type(model).__name__}: PretrainedGrounder.from_model'):
        GroundingInferencer(model)


def test_the_wrapper_of_a_training_on_several_processes_is_looked_through():
    class Wrapper(torch.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    MODEL_WRAPPERS.register_module('WrapperOfATest', module=Wrapper)
    try:
        config = load_config('configs/transvg/transvg_refshapes.py')
        model = MODELS.build(config.model)
        wrapped, plain = (PretrainedGrounder.from_model(each, config) for each in (Wrapper(model), model))
        assert boxes(wrapped) == boxes(plain)
    finally:
        MODEL_WRAPPERS.module_dict.pop('WrapperOfATest')
