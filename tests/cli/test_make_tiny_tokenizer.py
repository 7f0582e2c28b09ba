import sys
from pathlib import Path

import pytest

from mmduet.cli import make_tiny_tokenizer as tool
from mmduet.cli import running
from tests.load_tool import load_tool

ROOT = Path(__file__).resolve().parents[2]


def test_the_tokenizer_folder_is_made_again_byte_for_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['make', str(ROOT / 'mmduet/refshapes/vocab.txt'), str(tmp_path)])
    load_tool('model_converters/make_tiny_tokenizer').main()
    shipped = ROOT / 'mmduet/refshapes/tiny_clip/tokenizer'
    for name in ('tokenizer.json', 'tokenizer_config.json'):
        assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes()


@pytest.mark.parametrize(('content', 'said'), [
    (b'\x89PNG\r\n\xff', r'words\.txt:1: is no text in UTF-8'), (None, r'words\.txt does not exist'),
    (b'[PAD] [UNK] [CLS] cup', r'words\.txt is no vocabulary: it has no \[SEP\]')])
def test_what_is_no_vocabulary_is_a_sentence(tmp_path, content, said):
    if content is not None:
        (tmp_path / 'words.txt').write_bytes(content)
    with pytest.raises(SystemExit, match=f'^error: .*{said}'):
        running.run(lambda: tool.run(tool.parse_args([str(tmp_path / 'words.txt'), str(tmp_path / 'out')])))
    assert not (tmp_path / 'out').exists()


def test_a_length_leaves_room_for_a_word(capsys):
    with pytest.raises(SystemExit):
        tool.parse_args(['a', 'b', '--length', '2'])
    assert 'must be above 2, as [CLS] and [SEP] are two of them, got 2' in capsys.readouterr().err
