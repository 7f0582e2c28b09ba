import sys

from PIL import Image

from projects.ablation import refshapes_levels


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['refshapes_levels.py', *arguments])
    return refshapes_levels.main()


def test_a_row_of_the_table_has_a_value_of_each_level_and_a_sheet_is_drawn_of_each(tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, '--scenes', '20', '--split', 'heldout', '--sheets', str(tmp_path)) == 0
    head, _, objects, *_ = capsys.readouterr().out.splitlines()
    assert head == '| 20 scenes of heldout, means | easy | standard | hard | parts |'
    easy, standard, hard = (float(cell) for cell in objects.split('|')[2:5])
    assert easy < standard < hard
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'refshapes_easy.jpg', 'refshapes_hard.jpg', 'refshapes_parts.jpg', 'refshapes_standard.jpg']
    assert Image.open(tmp_path / 'refshapes_easy.jpg').size == (940, 1002)
    assert all(path.stat().st_size < 200_000 for path in tmp_path.iterdir())


def test_an_unknown_split_is_one_sentence(monkeypatch, capsys):
    assert run(monkeypatch, '--split', 'test') == 1
    assert "not 'test'" in capsys.readouterr().err
