"""Expressions to token ids between two marks (BERT's ``[CLS] tokens [SEP]``, for one), zero padding."""
import re
import zlib
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.logging import print_log
from tokenizers import BertWordPieceTokenizer
from torch import Tensor

from mmduet.io.errors import DataError
from mmduet.io.text import is_blank, read_text

# So few that every one of them can be compiled; RefCOCO's phrases fit the first two.
LENGTHS = (8, 16, 24, 40)
UNKNOWN = '[UNK]'  # what BERT's word pieces have in the place of a word
CLS, SEP = 101, 102  # their ids in bert-base-uncased, taken where there is no vocabulary to read them from


class Tokenizer(metaclass=ABCMeta):
    """Cut expressions into ids of at most ``max_tokens`` with both marks; count and report once what had to be cut off.

    Args:
        max_tokens: L, at least 3.
        lengths: those that a batch is padded to, the shortest that it fits, so that shapes repeat; L is always one of them.

    Attributes:
        vocabulary: the content of a ``vocab.txt`` that a copy of the model needs; None where none is needed.
    """

    vocabulary: str | None = None

    def __init__(self, max_tokens: int, lengths: Sequence[int] = LENGTHS) -> None:
        if max_tokens < 3:
            raise ValueError(f'max_tokens must leave room for one token and two marks, got {max_tokens}')
        self.max_tokens = max_tokens
        self.lengths = [*sorted(length for length in lengths if length < max_tokens), max_tokens]
        self.truncated = 0

    @abstractmethod
    def split(self, expression: str) -> list[int]:
        """Ids of an expression with both marks, however long."""

    def encode(self, expression: str) -> list[int]:
        """Ids of an expression with both marks, at most L.

        Raises:
            ValueError: the expression is blank, or nothing of it is left after cleaning.
        """
        row = self.split(expression)
        if len(row) < 3:
            raise ValueError(f'expression {expression!r} has no token')
        if len(row) > self.max_tokens:
            if not self.truncated:
                print_log(f'expression of {len(row)} tokens cut to {self.max_tokens}: {expression!r}; '
                          'further ones are counted in silence', logger='current', level=30)
            self.truncated += 1
            row = row[:self.max_tokens - 1] + row[-1:]
        return row

    def unknown_words(self, expression: str) -> list[str]:
        """The words of an expression that have no id of their own, as they are written there; none where every word has one."""
        return []

    def pad(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """(B, L') int64 ids of rows of ``encode``, padded to the longest, and (B, L') bool, True where there is no token."""
        longest = max(len(row) for row in rows)
        length = next(length for length in self.lengths if length >= longest)
        ids = torch.tensor([[*row, *[0] * (length - len(row))] for row in rows])
        lengths = torch.tensor([len(row) for row in rows])
        return ids, torch.arange(length) >= lengths[:, None]

    def __call__(self, expressions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Tokenise a batch: ``encode`` and ``pad``."""
        return self.pad([self.encode(expression) for expression in expressions])


class WordPieceTokenizer(Tokenizer):
    """BERT's uncased word pieces; ``vocab`` is the path of a ``vocab.txt``, one piece a line.

    Raises:
        FileNotFoundError: no such vocabulary.
        DataError: it is no text, or lacks BERT's marks.

    >>> from mmduet.models.layers.tokenizers import WordPieceTokenizer
    >>> from mmduet.refshapes import VOCABULARY_FILE
    >>> tokenizer = WordPieceTokenizer(VOCABULARY_FILE, max_tokens=16)
    >>> ids, padding = tokenizer(['the red ball', 'the ball left of the red star'])
    >>> tuple(ids.shape), (~padding).sum(dim=1).tolist()
    ((2, 16), [5, 9])
    """

    def __init__(self, vocab: str | Path, max_tokens: int, lengths: Sequence[int] = LENGTHS) -> None:
        super().__init__(max_tokens, lengths)
        if not Path(vocab).is_file():
            raise FileNotFoundError(f'{vocab}: no such vocabulary; expected a vocab.txt of word pieces, one a line')
        self.vocabulary = read_text(Path(vocab))
        try:
            self.pieces = BertWordPieceTokenizer(str(vocab), lowercase=True)
        except Exception as error:  # the library has no kind of its own
            raise DataError(f'{vocab} is no vocabulary of word pieces: {error}') from error
        self.vocab_size: int = self.pieces.get_vocab_size()

    def split(self, expression: str) -> list[int]:
        """See ``Tokenizer.split``."""
        return list(self.pieces.encode(expression).ids)

    def unknown_words(self, expression: str) -> list[str]:
        """See ``Tokenizer.unknown_words``."""
        found = self.pieces.encode(expression)
        pieces = zip(found.tokens, found.offsets, strict=True)
        return [expression[start:end] for token, (start, end) in pieces if token == UNKNOWN]


class CLIPTokenizer(Tokenizer):
    """CLIP's byte pairs, lower case, in CLIP's frame ``<start> tokens <end>``; its vocabulary comes with open_clip."""

    def __init__(self, max_tokens: int, lengths: Sequence[int] = LENGTHS) -> None:
        super().__init__(max_tokens, lengths)
        from open_clip.tokenizer import SimpleTokenizer  # takes a second, for CLIP's students alone
        self.pairs = SimpleTokenizer()
        self.vocab_size: int = self.pairs.vocab_size

    def split(self, expression: str) -> list[int]:
        """See ``Tokenizer.split``."""
        return [self.pairs.sot_token_id, *self.pairs.encode(expression), self.pairs.eot_token_id]


class HashingTokenizer(Tokenizer):
    """Whole words, each to an id by a checksum: for models without pretrained weights, where any fixed map will do.

    Ids lie in [1000, ``vocab_size``), or in the upper half of a vocabulary below 2,000.
    """

    def __init__(self, vocab_size: int, max_tokens: int, lengths: Sequence[int] = LENGTHS) -> None:
        super().__init__(max_tokens, lengths)
        self.first = min(1000, vocab_size // 2)
        if self.first <= SEP:
            raise ValueError(f'vocab_size must be over {2 * SEP}, got {vocab_size}')
        self.vocab_size = vocab_size

    def split(self, expression: str) -> list[int]:
        """See ``Tokenizer.split``."""
        words = re.findall(r'\w+', expression.lower())
        if not words and not is_blank(expression):
            words = expression.split()  # signs alone, as "..." in ReferIt
        return [CLS, *(self.first + zlib.crc32(word.encode()) % (self.vocab_size - self.first) for word in words), SEP]
