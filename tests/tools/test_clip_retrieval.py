import sys
from pathlib import Path

from tests.load_tool import load_tool

ROOT = Path(__file__).resolve().parents[2]
CONFIG = str(ROOT / 'configs/clip/clip_tiny_refshapes.py')


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['clip_retrieval.py', CONFIG, *arguments])
    return load_tool('analysis_tools/clip_retrieval').main()


def test_the_shipped_weights_are_measured_on_the_scenes_of_the_config(monkeypatch, capsys):
    assert run(monkeypatch, '--scenes', '30') == 0
    first, *rows = capsys.readouterr().out.strip().splitlines()
    assert first.endswith('on 30 scenes of seed 101, split region_val')
    figures = {row.split()[0]: float(row.split()[1]) for row in rows}
    assert figures['retrieval/crop'] > 95


def test_weights_that_are_not_there_are_named(monkeypatch, capsys):
    assert run(monkeypatch, '--weights', 'absent.safetensors') == 1
    assert 'absent.safetensors' in capsys.readouterr().err
