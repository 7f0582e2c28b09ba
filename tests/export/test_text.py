import sys

import numpy as np
import pytest

from mmduet.export.description import TOKENIZER_KEY, ExportedDescription
from mmduet.export.text import find_encoding
from mmduet.export.tokenizer_json import describe_tokenizer
from mmduet.models.layers.tokenizers import CLIPTokenizer, HashingTokenizer, WordPieceTokenizer
from mmduet.refshapes import VOCABULARY_FILE

TEXTS = ['the red ball', 'The  RED\tball left of the blue-ish star!!', "the dog's bowl, isn't it? they'll",
         'größer als der Baum', '左边的猫 and 犬', 'a ' * 60 + 'ball', 'naïve café ﬁsh', '“quoted” — dash…',
         '[MASK] [PAD] and [SEP]', 'emoji 🐈 3.5x', '&amp;amp; &lt;b&gt;', 'x!!', '!!!', 'ÀÉÎ İstanbul ΣΑΣ',
         'under_score 1234 4,000', '<start_of_text> odd <end_of_text>', 'L\u0327o\u0302ng', 'fullwidth ｗｉｄｅ',
         'a\u00a0b\u3000c', 'Ã¼ber mojibake', '... ?!']
TOKENIZERS = {'clip': lambda: CLIPTokenizer(20), 'tokenizers': lambda: WordPieceTokenizer(VOCABULARY_FILE, 12),
              'hash': lambda: HashingTokenizer(2048, 9), 'large hash': lambda: HashingTokenizer(30522, 20)}


def encoding_of(tokenizer):
    kind, options, content = describe_tokenizer(tokenizer)
    about = ExportedDescription(student='S', canvas_size=64, long_side=64, max_tokens=tokenizer.max_tokens, tokenizer=kind,
                                tokenizer_options=options)
    return find_encoding(about, {} if content is None else {TOKENIZER_KEY: content}, 'a.onnx')


@pytest.mark.parametrize('name', TOKENIZERS)
def test_ids_are_those_of_the_students_tokenizer(name):
    tokenizer = TOKENIZERS[name]()
    encode = encoding_of(tokenizer)
    for text in TEXTS:
        assert encode.split(text) == tokenizer.split(text), text
        assert encode.encode(text) == tokenizer.encode(text), text
        assert encode.unknown_words(text) == tokenizer.unknown_words(text), text
    expected, padding = tokenizer(TEXTS)
    ids, mask = encode(TEXTS)
    longest = ids.shape[1]
    assert ids.dtype == mask.dtype == np.int64
    assert np.array_equal(ids, expected.numpy()[:, :longest]) and np.array_equal(mask == 0, padding.numpy()[:, :longest])
    with pytest.raises(ValueError, match=r"expression '\\u200b' has no token") if name != 'clip' else pytest.raises(
            ValueError, match="expression '' has no token"):
        encode.encode('' if name == 'clip' else '\u200b')


def test_without_ftfy_plain_letters_are_read_and_others_refused(monkeypatch):
    tokenizer = CLIPTokenizer(20)
    encode = encoding_of(tokenizer)
    monkeypatch.setitem(sys.modules, 'ftfy', None)
    assert encode.split('The red ball, 2nd') == tokenizer.split('The red ball, 2nd')
    with pytest.raises(ImportError, match='pip install ftfy'):
        encode.split('“quoted”')


def test_without_the_library_its_name_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tokenizers', None)
    with pytest.raises(ImportError, match='pip install tokenizers'):
        encoding_of(WordPieceTokenizer(VOCABULARY_FILE, 12))
