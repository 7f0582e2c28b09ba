import sys

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
