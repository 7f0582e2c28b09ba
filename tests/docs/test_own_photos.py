"""What the page on 200 photos says is done: its lines are prepared, its config trains what it says and leaves what it says."""
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmduet.datasets import read_annotations
from mmduet.engine.config_tools import drop_pretrained, load_config
from mmduet.io.weights import read_weights
from mmduet.registry import MODELS
from tests.docs.pages import DOCS, commands, files
from tests.run_tool import run_tool

PAGE = DOCS / 'own_photos.md'
BASE = '    from mmduet.configs.transvg.transvg_refcoco import *\n'
# The page's config for the tiny model and its canvas of 64 pixels; everything else stays as it is.
SMALLER = f"""{BASE}    from mmduet.configs._base_.models.transvg_tiny import *
    from mmduet.configs._base_.datasets.refshapes import test_pipeline
"""
LOADERS = """
for loader in (train_dataloader, val_dataloader, test_dataloader):
    loader.update(batch_size=2, num_workers=0, persistent_workers=False)
    loader['dataset'].update(pipeline=test_pipeline)
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A user's folder after the first two steps of the page, the weights being those of a tiny TransVG."""
    made = tmp_path_factory.mktemp('mine')
    for title, text in files(PAGE).items():
        (made / title).write_text(text)
    shutil.copytree(DOCS / 'photos/images', made / 'images')
    prepare, *_ = commands(PAGE)
    run = run_tool('prepare_dataset', *prepare[2:], cwd=made)
    assert run.returncode == 0 and '0 errors' in run.stdout, run.stdout + run.stderr
    config = load_config('transvg_refshapes')
    drop_pretrained(config)
    (made / 'checkpoints').mkdir()
    weights = {name: value.contiguous() for name, value in MODELS.build(config.model).state_dict().items()}
    save_file(weights, made / 'checkpoints/transvg_r50_unc.safetensors')
    return made


def test_its_lines_become_splits_of_whole_photos(folder):
    split = {name: read_annotations(folder / f'data/mine/annotations/{name}.jsonl') for name in ('train', 'val')}
    assert [line.image for line in split['train']] == ['cat.jpg', 'coffee.jpg'] and split['val'][0].image == 'rocket.jpg'


def test_its_config_trains_the_fusion_and_the_box_head_and_leaves_both_encoders(folder):
    config = folder / 'transvg_mine.py'
    text = config.read_text()
    assert BASE in text
    config.write_text(text.replace(BASE, SMALLER) + LOADERS)
    run = run_tool('train', config, '--max-iters', 2, '--cfg-options', 'default_hooks.logger.interval=1', cwd=folder)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    log = ''.join(path.read_text() for path in (folder / 'work_dirs').rglob('*.log'))
    assert 'visual_encoder, text_encoder:' in log and 'parameters are frozen until epoch 20 is over' in log
    before = load_file(folder / 'checkpoints/transvg_r50_unc.safetensors')
    after = read_weights(Path((folder / 'work_dirs/transvg_mine/last_checkpoint').read_text().strip()))
    parameters = [name for name in before if 'running_' not in name and 'num_batches' not in name]
    changed = {name.split('.')[0] for name in parameters if not torch.equal(before[name], after[name])}
    assert {'fusion', 'box_head'} <= changed and not changed & {'visual_encoder', 'text_encoder'}


def test_the_photographs_that_ship_are_a_data_set_without_an_error(tmp_path):
    memorise = next(words for words in commands(PAGE) if 'docs/photos/train.jsonl' in words)
    flags = [str(DOCS.parent / word) if word.startswith('docs/') else word for word in memorise[2:]]
    flags[flags.index('--out') + 1] = str(tmp_path / 'photos')
    run = run_tool('prepare_dataset', *flags)
    assert run.returncode == 0 and '0 errors' in run.stdout, run.stdout + run.stderr
    lines = (DOCS / 'photos/train.jsonl').read_text().splitlines()
    assert len(read_annotations(tmp_path / 'photos/annotations/train.jsonl')) == len(lines) == 19
    named = {json.loads(line)['image'] for line in lines}
    notes = (DOCS / 'photos/README.md').read_text()
    assert named == {path.name for path in (DOCS / 'photos/images').iterdir()} and all(f'`{name}`' in notes for name in named)
