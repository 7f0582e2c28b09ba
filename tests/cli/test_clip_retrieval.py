import sys
from pathlib import Path

from tests.load_tool import load_tool

ROOT = Path(__file__).resolve().parents[2]
CONFIG = str(ROOT / 'mmduet/configs/clip/clip_tiny_refshapes.py')


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['clip_retrieval.py', CONFIG, *arguments])
    return load_tool('analysis_tools/clip_retrieval').main()


def test_the_shipped_weights_are_measured_on_the_scenes_of_the_config(monkeypatch, capsys):
    assert run(monkeypatch, '--scenes', '30') == 0
    first, head, *rows = capsys.readouterr().out.strip().splitlines()
    assert first.endswith('on 30 scenes of seed 101, split region_val')
    figures = {row.split()[0]: float(row.split()[1]) for row in rows}
    assert figures['retrieval/crop'] > 95
    assert head.split() == ['upright', 'mirrored']
    assert {'retrieval/crop_grounding', 'retrieval/dense_arrow'} < set(figures)


def test_options_change_what_it_measures_on(monkeypatch, capsys):
    assert run(monkeypatch, '--cfg-options', 'test_dataloader.dataset.length=30', 'test_dataloader.dataset.seed=7') == 0
    assert 'on 30 scenes of seed 7, split region_val' in capsys.readouterr().out


def test_expressions_are_also_grounded_with_no_box_given(monkeypatch, capsys):
    assert run(monkeypatch, '--scenes', '2', '--search', '1') == 0
    name, _, scenes, *values = capsys.readouterr().out.strip().splitlines()[-1].replace(',', ' ,').split()
    assert (name, scenes) == ('search/acc@0.5', '1')
    assert {float(value) for value in values[1:]} <= {0.0, 100.0}


def test_weights_that_are_not_there_are_named(monkeypatch, capsys):
    assert run(monkeypatch, '--weights', 'absent.safetensors') == 1
    assert 'absent.safetensors' in capsys.readouterr().err
