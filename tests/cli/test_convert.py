import argparse
import re

import pytest
import torch
from safetensors.torch import load_file

from mmduet.cli.convert import LAYOUT_NAMES
from mmduet.models.conversion import CLIP_VG, LAYOUTS, TRANSVG, VLTVG
from mmduet.models.weights import load_partial_weights
from mmduet.registry import MODELS
from tests.run_tool import run_tool
from tests.shared_data import ROOT
from tests.tiny_clip_vg import tiny_clip_vg_config
from tests.tiny_transvg import tiny_transvg_config
from tests.tiny_vltvg import tiny_vltvg_config

TOOL = 'model_converters/convert_checkpoint'


def _authors_checkpoint(model, path, layout=TRANSVG):
    """Write a model as the authors of TransVG, or of VLTVG, store theirs."""
    theirs = {ours: prefix for prefix, ours in layout.prefixes.items()}
    weights = {}
    for key, value in model.state_dict().items():
        ours = next(prefix for prefix in sorted(theirs, key=len, reverse=True) if key.startswith(prefix))
        weights[theirs[ours] + key.removeprefix(ours)] = value
    torch.save({'model': weights, 'epoch': 89, 'args': argparse.Namespace(lr=1e-4), 'val_accu': 0.8}, path)


@pytest.mark.parametrize(('config', 'layout'), [(tiny_transvg_config, TRANSVG), (tiny_vltvg_config, VLTVG),
                                                  (tiny_clip_vg_config, CLIP_VG)])
def test_an_authors_checkpoint_becomes_a_file_that_gives_the_same_model(tmp_path, config, layout):
    torch.manual_seed(0)
    model = MODELS.build(config())
    _authors_checkpoint(model, tmp_path / 'theirs.pth', layout)
    run = run_tool(TOOL, tmp_path / 'theirs.pth', tmp_path / 'new/ours.safetensors')
    assert run.returncode == 0, run.stderr
    assert f'({layout.name})' in run.stdout
    other = MODELS.build(config())
    load_partial_weights(other, tmp_path / 'new/ours.safetensors')
    counters = {key for key in model.state_dict() if key.endswith('num_batches_tracked')}
    assert load_file(tmp_path / 'new/ours.safetensors').keys() == model.state_dict().keys() - counters
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in model.state_dict().items())


def test_a_checkpoint_of_another_size_is_refused_by_the_config_and_nothing_is_written(tmp_path):
    _authors_checkpoint(MODELS.build(tiny_transvg_config()), tmp_path / 'theirs.pth')
    full_size = ROOT / 'mmduet/configs/_base_/models/transvg_r50.py'
    run = run_tool(TOOL, tmp_path / 'theirs.pth', tmp_path / 'ours.safetensors', '--config', full_size)
    assert run.returncode == 1
    assert 'does not fit TransVG' in run.stderr
    assert not (tmp_path / 'ours.safetensors').exists()


def test_a_checkpoint_of_another_student_is_refused_by_the_config(tmp_path):
    _authors_checkpoint(MODELS.build(tiny_transvg_config()), tmp_path / 'theirs.pth')
    other = ROOT / 'mmduet/configs/vltvg/vltvg_refshapes.py'
    run = run_tool(TOOL, tmp_path / 'theirs.pth', tmp_path / 'ours.safetensors', '--config', other)
    assert run.returncode == 1
    assert 'does not fit VLTVG' in run.stderr and re.search(r'\d+ unexpected \(\w', run.stderr)
    assert 'It is a transvg checkpoint; no config of configs/transvg fits it' in run.stderr
    assert not (tmp_path / 'ours.safetensors').exists()


def test_the_config_is_changed_as_in_training(tmp_path):
    _authors_checkpoint(MODELS.build(tiny_transvg_config()), tmp_path / 'theirs.pth')
    command = [TOOL, tmp_path / 'theirs.pth', tmp_path / 'ours.safetensors', '--config', 'transvg_duet_refshapes']
    run = run_tool(*command, '--patch', 'plain', '--cfg-options', 'model.fusion.num_layer=1')
    assert run.returncode == 1 and "does not take 'num_layer'; nearest: num_layers" in run.stderr
    run = run_tool(*command, '--patch', 'plan')
    assert run.returncode == 1 and 'there is no patch plan' in run.stderr
    assert not (tmp_path / 'ours.safetensors').exists()


def test_every_layout_can_be_named_on_the_command_line():
    assert tuple(LAYOUTS) == LAYOUT_NAMES


def test_a_file_that_is_no_checkpoint_is_one_sentence(tmp_path):
    (tmp_path / 'page.pth').write_text('<html>not found</html>')
    run = run_tool(TOOL, tmp_path / 'page.pth', tmp_path / 'ours.safetensors')
    assert run.returncode == 1
    assert 'error: ' in run.stderr and 'page.pth holds no weights: it is a page of the web' in run.stderr
    assert 'Traceback' not in run.stderr


def test_a_file_is_not_converted_over_itself(tmp_path):
    torch.manual_seed(0)
    _authors_checkpoint(MODELS.build(tiny_transvg_config()), tmp_path / 'theirs.pth')
    (tmp_path / 'theirs.pth').rename(tmp_path / 'theirs.safetensors')
    before = (tmp_path / 'theirs.safetensors').read_bytes()
    run = run_tool(TOOL, tmp_path / 'theirs.safetensors', tmp_path / 'theirs.safetensors')
    assert run.returncode == 1 and 'theirs.safetensors is read here' in run.stderr
    assert (tmp_path / 'theirs.safetensors').read_bytes() == before
