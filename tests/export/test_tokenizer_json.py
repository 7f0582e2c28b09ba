import json

import pytest
from tokenizers import Tokenizer as File

from mmduet.export.exported_graph import ExportError
from mmduet.export.tokenizer_json import describe_tokenizer
from mmduet.models.layers.tokenizers import CLIPTokenizer, HashingTokenizer, Tokenizer, WordPieceTokenizer
from mmduet.refshapes import VOCABULARY_FILE


def test_hashed_words_travel_as_numbers_and_the_others_as_a_file():
    assert describe_tokenizer(HashingTokenizer(2048, 9)) == ('hash', {'first': 1000, 'vocab_size': 2048}, None)
    for kind, tokenizer in (('clip', CLIPTokenizer(20)), ('tokenizers', WordPieceTokenizer(VOCABULARY_FILE, 12))):
        found = describe_tokenizer(tokenizer)
        assert (found.kind, found.options) == (kind, {})
        assert json.loads(found.content)['truncation']['max_length'] == tokenizer.max_tokens


def test_the_file_alone_truncates_pads_and_marks():
    tokenizer = WordPieceTokenizer(VOCABULARY_FILE, 12)
    rows = File.from_str(describe_tokenizer(tokenizer).content).encode_batch(['the red ball', 'a ' * 60 + 'ball'])
    assert [row.ids for row in rows] == [tokenizer.encode('the red ball') + [0] * 7, tokenizer.encode('a ' * 60 + 'ball')]
    assert [sum(row.attention_mask) for row in rows] == [5, 12]


def test_a_tokenizer_of_another_class_is_refused():
    class Letters(Tokenizer):
        def split(self, expression):
            return list(map(ord, expression))

    with pytest.raises(ExportError, match='the tokenizer Letters cannot travel'):
        describe_tokenizer(Letters(9))
    with pytest.raises(ExportError, match='takes no token ids'):
        describe_tokenizer(None)
