import sys

import pytest

from mmduet.cli import make_refshapes
from tests.load_tool import load_tool


def test_the_counts_of_the_command_line_are_written(tmp_path, monkeypatch, capsys):
    arguments = ['--out', str(tmp_path / 'official'), '--train', '3', '--val', '2', '--test', '1', '--workers', '1',
                 '--level', 'hard']
    monkeypatch.setattr(sys, 'argv', ['make_refshapes.py', *arguments])
    assert load_tool('make_refshapes').main() == 0
    said = capsys.readouterr().out
    assert '9 scenes of level hard, expressions train 3, val 2, testA 1, testB 1, heldout 1, absent 1' in said
    assert len(list((tmp_path / 'official/images').glob('*.png'))) == 9
    assert {path.name for path in (tmp_path / 'official').iterdir()} == {
        'images', 'instances.json', 'refs(unc).p', 'absent.jsonl', 'manifest.json'}


def test_a_wrong_count_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['make_refshapes.py', '--out', str(tmp_path), '--train', '-1', '--workers', '1'])
    assert load_tool('make_refshapes').main() == 1
    assert capsys.readouterr().err.startswith('error: a split has up to 1000000 scenes')


@pytest.mark.parametrize(('flag', 'said'), [('--workers=0', 'must be at least 1, got 0'),
                                            ('--seed=-1', 'must not be negative, got -1')])
def test_a_number_out_of_its_range_is_refused_by_its_flag(tmp_path, capsys, flag, said):
    with pytest.raises(SystemExit):
        make_refshapes.main(['--out', str(tmp_path), flag])
    assert f'argument {flag.partition("=")[0]}: {said}' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['instances.json', 'refs(unc).p', 'manifest.json'])
def test_files_of_another_data_set_are_not_replaced(tmp_path, capsys, name):
    (tmp_path / name).write_text('{}')
    few = ['--out', str(tmp_path), '--train', '1', '--val', '0', '--test', '0', '--workers', '1']
    assert make_refshapes.main(few) == 1
    assert f'{name} is not of RefShapes and would be replaced: choose another folder' in capsys.readouterr().err
    assert (tmp_path / name).read_text() == '{}' and len(list(tmp_path.iterdir())) == 1
    (tmp_path / name).unlink()
    assert make_refshapes.main(few) == make_refshapes.main(few) == 0


def test_too_small_a_scene_is_refused_before_the_work(tmp_path, capsys):
    assert make_refshapes.main(['--out', str(tmp_path / 'new'), '--size', '15', '--train', '1']) == 1
    assert capsys.readouterr().err == 'error: a scene needs at least 16 pixels a side, got 15\n'
    assert not (tmp_path / 'new').exists()
