import sys

from tests.load_tool import load_tool


def test_the_counts_of_the_command_line_are_written(tmp_path, monkeypatch, capsys):
    arguments = ['--out', str(tmp_path / 'official'), '--train', '3', '--val', '2', '--test', '1', '--workers', '1']
    monkeypatch.setattr(sys, 'argv', ['make_refshapes.py', *arguments])
    load_tool('make_refshapes').main()
    assert '7 scenes, expressions train 3, val 2, testA 1, testB 1' in capsys.readouterr().out
    assert len(list((tmp_path / 'official/images').glob('*.png'))) == 7
    assert {path.name for path in (tmp_path / 'official').iterdir()} == {'images', 'instances.json', 'refs(unc).p'}
