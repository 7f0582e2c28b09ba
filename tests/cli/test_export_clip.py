import sys

import torch
from safetensors.torch import load_file, save_file

from tests.load_tool import load_tool


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['export_clip.py', *map(str, arguments)])
    return load_tool('model_converters/export_clip').main()


def test_the_clip_of_a_pretrainer_is_written_in_half_precision(tmp_path, monkeypatch):
    torch.save({'state_dict': {'clip.visual.proj': torch.full((2, 3), 0.5), 'other': torch.ones(1)}}, tmp_path / 'a.pth')
    assert run(monkeypatch, tmp_path / 'a.pth', tmp_path / 'out/a.safetensors') == 0
    weights = load_file(tmp_path / 'out/a.safetensors')
    assert {name: (tuple(value.shape), value.dtype) for name, value in weights.items()} == {
        'visual.proj': ((2, 3), torch.float16)}
    assert float(weights['visual.proj'][0, 0]) == 0.5


def test_a_checkpoint_without_a_clip_is_refused(tmp_path, monkeypatch, capsys):
    save_file({'student.weight': torch.ones(1)}, tmp_path / 'a.safetensors')
    assert run(monkeypatch, tmp_path / 'a.safetensors', tmp_path / 'b.safetensors') == 1
    assert 'not of a CLIPPretrainer' in capsys.readouterr().err
    assert not (tmp_path / 'b.safetensors').exists()


def test_another_file_type_and_a_missing_file_are_refused(tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, tmp_path / 'a.pth', tmp_path / 'b.pt') == 1
    assert 'must end in .safetensors' in capsys.readouterr().err
    assert run(monkeypatch, tmp_path / 'a.pth', tmp_path / 'b.safetensors') == 1
    assert 'a.pth' in capsys.readouterr().err
