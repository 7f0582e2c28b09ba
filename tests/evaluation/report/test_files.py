import pytest

from mmduet.evaluation.report.files import write_together


def test_all_files_are_written_and_nothing_else(tmp_path):
    write_together({tmp_path / 'deep/a.html': 'ä', tmp_path / 'deep/a.json': '{}'})
    found = {path.name: path.read_text(encoding='utf-8') for path in (tmp_path / 'deep').iterdir()}
    assert found == {'a.html': 'ä', 'a.json': '{}'}


def test_after_an_error_the_old_files_are_as_they_were(tmp_path):
    (tmp_path / 'a.html').write_text('old')
    (tmp_path / 'file').write_text('no folder')
    with pytest.raises(OSError, match='file'):
        write_together({tmp_path / 'a.html': 'new', tmp_path / 'file/a.json': '{}'})
    assert (tmp_path / 'a.html').read_text() == 'old'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.html', 'file']


def test_a_letter_that_no_file_can_hold_becomes_a_question_mark(tmp_path):
    write_together({tmp_path / 'a.html': 'a\ud800b'})
    assert (tmp_path / 'a.html').read_text() == 'a?b'
