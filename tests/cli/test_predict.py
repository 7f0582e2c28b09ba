import json

import numpy as np
import pytest
import torch
from PIL import Image

from mmduet.apis import PretrainedGrounder
from mmduet.cli import predict
from mmduet.engine.config_tools import load_config
from mmduet.registry import MODELS
from tests.apis.made_checkpoint import CONFIG, write_checkpoint
from tests.shared_data import ROOT

BASED_ON = """from mmengine.config import read_base
from gone_module import GoneHook
with read_base():
    from mmduet.{} import *
log_config = dict(interval=50)
custom_hooks = [dict(type=GoneHook)]
train_dataloader.update(old_name=1)
"""


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    config = load_config('transvg_refshapes')
    folder = tmp_path_factory.mktemp('model') / 'student'
    PretrainedGrounder.from_model(MODELS.build(config.model), config).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'photos').mkdir()
    for name, width in (('a', 64), ('b', 48)):
        Image.fromarray(np.full((40, width, 3), 128, np.uint8)).save(tmp_path / f'photos/{name}.png')
    return tmp_path / 'photos'


def test_answers_are_printed_written_drawn_and_shown(photos, model, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(Image.Image, 'show', lambda image, title: shown.append(title))
    code = predict.main(['photos', 'the red ball', 'a ring', '--model', model, '--device', 'cpu', '--precision', 'bfloat16',
                         '--batch-size', '3', '--json', 'out/boxes.json', '--out', 'drawn', '--show'])
    assert code == 0
    lines = capsys.readouterr().out.splitlines()
    answers = json.loads((photos.parent / 'out/boxes.json').read_text())
    assert [(answer['image'][-5:], answer['expression']) for answer in answers] == [
        ('a.png', 'the red ball'), ('a.png', 'a ring'), ('b.png', 'the red ball'), ('b.png', 'a ring')]
    assert sum(': the red ball: ' in line or ': a ring: ' in line for line in lines) == 4
    assert lines[-1] == '4 drawn images in drawn' and len(list((photos.parent / 'drawn').iterdir())) == 4
    assert shown == ['the red ball', 'a ring'] * 2


def test_one_answer_may_be_one_file_and_json_may_be_the_only_output(photos, model, capsys):
    assert predict.main(['photos/b.png', '-e', 'a ring', '--model', model, '--json', '-', '--out', 'one.jpg']) == 0
    answer, = json.loads(capsys.readouterr().out)
    assert answer['width'] == 48 and Image.open('one.jpg').size[0] >= 48


@pytest.mark.parametrize(('words', 'code', 'said'), [
    (['the red ball'], 2, "no image among 'the red ball'"), (['photos'], 2, 'no expression: give one after the images'),
    (['photos', ' '], 2, 'an expression is blank'), (['gone.jpg', 'a ring'], 1, 'error: there is no image or folder gone.jpg'),
    (['photos/c.png', 'a ring'], 1, r'error: there is no image or folder photos/c\.png; nearest: [ab]\.png, [ab]\.png'),
    (['ftp://example.org/a.jpg', 'a ring'], 1, 'error: .*only http and https are fetched'),
    (['photos', 'a ring', '--out', 'one.jpg'], 1, 'error: --out one.jpg holds one answer and there are 2: name a folder'),
    (['photos', 'a ring', '--out', 'one.pdf'], 1, 'error: --out one.pdf holds one answer and there are 2: name a folder'),
    (['photos/a.png', 'a ring', '--out', 'one.txt'], 1, 'error: --out one.txt is neither an image nor a folder: --json writes'),
    (['photos/a.png', 'a ring', '--out', 'one.json'], 1, 'error: --out one.json is for drawn images: --json writes'),
    (['photos/a.png', 'a ring', '--out', 'photos/../photos/a.png'], 1, r'error: photos/\.\./photos/a\.png is read here'),
    (['photos', 'a ring', '--json', 'x.txt'], 2, r'--json x\.txt must end in \.json'),
    (['photos', 'a ring', '--batch-size', '0'], 2, 'must be at least 1'),
    (['photos', 'a ring', '--device', 'abacus'], 1, 'error: '),
    (['photos', 'a ring', '--model', 'gone.pth'], 1, 'error: .*gone.pth')])
def test_what_cannot_be_predicted_is_a_sentence(photos, model, capsys, words, code, said):
    import re
    try:
        found = predict.main(['--model', model, *words])
    except SystemExit as end:
        found = end.code
    err = capsys.readouterr().err
    assert found == code and re.search(said, err) and 'Traceback' not in err
    assert not (photos.parent / 'one.jpg').exists()


def test_the_config_of_bare_weights_is_changed_as_in_training(photos, tmp_path, capsys):
    state = torch.load(write_checkpoint(tmp_path / 'best.pth'), weights_only=True)['state_dict']
    torch.save({'state_dict': state}, tmp_path / 'bare.pth')
    command = ['photos', 'a ring', '--model', str(tmp_path / 'bare.pth'), '--config', str(ROOT / CONFIG)]
    assert predict.main(command) == 0
    assert predict.main([*command, '--cfg-options', 'model.fusion.num_layer=1']) == 1
    assert "does not take 'num_layer'; nearest: num_layers" in capsys.readouterr().err
    assert predict.main([*command, '--cfg-options', 'model.fusion.num_layers=1']) == 1
    assert capsys.readouterr().err.startswith(f'error: {tmp_path}/bare.pth ')
    old = tmp_path / 'old.py'  # what it was trained by, and nobody reads or has any more
    old.write_text(BASED_ON.format(CONFIG.removesuffix('.py').replace('/', '.')))
    assert predict.main([*command[:-1], str(old)]) == 0
    assert predict.main([*command[:-1], str(old), '--cfg-options', 'train_cfg.max_epochs=3']) == 1


def test_images_that_cannot_be_read_are_named_at_the_end_and_the_others_answered(photos, model, capsys):
    (photos / 'aa.png').write_text('no image')
    (photos / 'c.jpg').touch()
    assert predict.main(['photos', 'a ring', '--model', model, '--json', 'all.json', '--out', 'drawn']) == 1
    answers = json.loads((photos.parent / 'all.json').read_text())
    assert [answer['image'][-5:] for answer in answers] == ['a.png', 'b.png'] and len(list(photos.parent.glob('drawn/*'))) == 2
    err = capsys.readouterr().err
    assert 'error: photos/aa.png is no image' in err and 'error: photos/c.jpg is empty' in err
    assert '2 images could not be read; the answers are about the others' in err
    for name in 'ab':
        (photos / f'{name}.png').write_text('no image')
    assert predict.main(['photos', 'a ring', '--model', model, '--json', 'none.json']) == 1
    assert not (photos.parent / 'none.json').exists() and capsys.readouterr().err.count('error: ') == 4
