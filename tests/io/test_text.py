import pytest

from mmduet.io.errors import DataError
from mmduet.io.text import parse_json, read_json, read_json_lines, read_lines, read_text


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    (tmp_path / 'a.txt').write_bytes('\ufeffä'.encode())
    assert read_text(tmp_path / 'a.txt') == 'ä'


def test_lines_are_numbered_as_an_editor_does_and_blank_ones_left_out(tmp_path):
    path = tmp_path / 'a.jsonl'
    path.write_text('1\n\n["a\u2028b"]\n')
    assert list(read_json_lines(path)) == [(f'{path}:1', 1), (f'{path}:3', ['a\u2028b'])]


def test_lines_end_where_an_editor_ends_them_and_the_last_end_adds_none(tmp_path):
    for content, lines in (('', []), ('a', ['a']), ('a\n\u2028b\n', ['a', '\u2028b']), ('a\n\n', ['a', ''])):
        (tmp_path / 'a.txt').write_text(content)
        assert read_lines(tmp_path / 'a.txt') == lines


def test_a_json_file_is_read_whole_and_named_where_it_is_none(tmp_path):
    (tmp_path / 'a.json').write_text('\ufeff{"a": [1]}')
    assert read_json(tmp_path / 'a.json') == {'a': [1]}
    (tmp_path / 'a.json').write_text('[' * 100_000)
    with pytest.raises(DataError, match=r'a\.json: not valid JSON'):
        read_json(tmp_path / 'a.json')


def test_what_is_no_file_no_text_or_no_json_is_named(tmp_path):
    with pytest.raises(DataError, match=r'none\.txt does not exist'):
        read_text(tmp_path / 'none.txt')
    with pytest.raises(DataError, match='is no regular file'):
        read_text(tmp_path)
    with pytest.raises(DataError, match=r'x\.json:7: not valid JSON'):
        parse_json('{', 'x.json:7')
