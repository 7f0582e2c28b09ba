import pytest

from mmduet.io.errors import DataError
from mmduet.io.text import is_blank, parse_json, read_json, read_json_lines, read_lines, read_text
from mmduet.models.layers.tokenizers import WordPieceTokenizer
from mmduet.refshapes import VOCABULARY_FILE


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


@pytest.mark.parametrize('text', ['', ' \t\u3000', '\u200b',
                                  '\u200c\u200d\u2060\ufeff', '\x00\x7f', '\u0301', '\ufffd', '\ue000'])
def test_what_nobody_sees_is_blank_and_leaves_no_word_piece(text):
    assert is_blank(text)
    assert WordPieceTokenizer(VOCABULARY_FILE, max_tokens=8).split(text) == [2, 3]


@pytest.mark.parametrize('text', ['a', '7', '?', '_', '\u200ba', '\u732b', '\U0001f408', 'e\u0301', '-', '\u0645',
                                  '\U000e0ff0', '\U0001fae9'])  # two that older tables do not know
def test_any_letter_figure_or_sign_is_not_blank_and_leaves_one(text):
    assert not is_blank(text)
    assert len(WordPieceTokenizer(VOCABULARY_FILE, max_tokens=8).split(text)) > 2
