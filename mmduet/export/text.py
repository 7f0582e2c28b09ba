"""From expressions to token ids, as the student's tokenizer makes them, without PyTorch."""
import html
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmduet.export.description import TOKENIZER_KEY, ExportedDescription
from mmduet.io.errors import DataError
from mmduet.io.text import is_blank

UNKNOWN = '[UNK]'  # of BERT's word pieces, which CLIP's byte pairs do not have
CLS, SEP = 101, 102  # of BERT, which hashed words stand between
Ids = NDArray[np.int64]


class TextEncoding(ABC):
    """Expressions to ids of at most ``max_tokens``, both marks included; what is longer loses its last words."""

    def __init__(self, max_tokens: int) -> None:
        self.max_tokens = max_tokens

    @abstractmethod
    def split(self, expression: str) -> list[int]:
        """Ids of an expression with both marks, however long."""

    def encode(self, expression: str) -> list[int]:
        """Ids of an expression with both marks, at most ``max_tokens``.

        Raises:
            ValueError: the expression is blank, or nothing of it is left after cleaning.
        """
        row = self.split(expression)
        if len(row) < 3:
            raise ValueError(f'expression {expression!r} has no token')
        return row if len(row) <= self.max_tokens else row[:self.max_tokens - 1] + row[-1:]

    def unknown_words(self, expression: str) -> list[str]:
        """As ``mmduet.models.layers.tokenizers.Tokenizer.unknown_words``."""
        return []

    def __call__(self, expressions: Sequence[str]) -> tuple[Ids, Ids]:
        """(B, T) ``token_ids``, 0 at padding, and (B, T) ``attention_mask``, 1 at tokens."""
        rows = [self.encode(expression) for expression in expressions]
        ids, mask = np.zeros((2, len(rows), max(map(len, rows))), np.int64)
        for number, row in enumerate(rows):
            ids[number, :len(row)], mask[number, :len(row)] = row, 1
        return ids, mask


class HashedWords(TextEncoding):
    """Whole words by a checksum, as ``mmduet.models.layers.tokenizers.HashingTokenizer``."""

    def __init__(self, max_tokens: int, first: int, vocab_size: int) -> None:
        super().__init__(max_tokens)
        self.first, self.span = first, vocab_size - first

    def split(self, expression: str) -> list[int]:
        """See ``TextEncoding.split``."""
        words = re.findall(r'\w+', expression.lower())
        if not words and not is_blank(expression):
            words = expression.split()  # signs alone, as "..." in ReferIt
        return [CLS, *(self.first + zlib.crc32(word.encode()) % self.span for word in words), SEP]


class TokenizerFile(TextEncoding):
    """A ``tokenizer.json`` by the library ``tokenizers``, whose post-processor sets the marks."""

    def __init__(self, max_tokens: int, content: str) -> None:
        super().__init__(max_tokens)
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise ImportError('this model cuts expressions into word pieces by the library tokenizers: '
                              'pip install tokenizers') from error
        try:
            self.pieces: Any = Tokenizer.from_str(content)
        except Exception as error:  # the library raises no narrower one
            raise DataError(f'the tokenizer in the metadata is broken ({error!s:.200})') from error
        self.pieces.no_truncation()
        self.pieces.no_padding()

    def split(self, expression: str) -> list[int]:
        """See ``TextEncoding.split``."""
        return list(self.pieces.encode(expression).ids)

    def unknown_words(self, expression: str) -> list[str]:
        """See ``TextEncoding.unknown_words``; of byte pairs none is unknown."""
        found = self.pieces.encode(expression)
        pieces = zip(found.tokens, found.offsets, strict=True)
        return [expression[start:end] for token, (start, end) in pieces if token == UNKNOWN]


class CLIPWords(TokenizerFile):
    """CLIP's byte pairs, after the cleaning that CLIP's own tokenizer does."""

    def split(self, expression: str) -> list[int]:
        """See ``TextEncoding.split``.

        Raises:
            ImportError: the expression is not of plain letters, and the library ftfy, which CLIP cleans by, is missing.
        """
        try:
            from ftfy import fix_text
        except ImportError as error:
            if not expression.isascii() or not expression.isprintable():
                raise ImportError(f'{expression!r} needs cleaning by the library ftfy, as in CLIP: pip install ftfy') from error
            cleaned = expression
        else:
            cleaned = fix_text(expression)
        cleaned = html.unescape(html.unescape(cleaned)).strip()
        return super().split(' '.join(cleaned.split()).strip().lower())


def find_encoding(about: ExportedDescription, metadata: Mapping[str, str], source: str) -> TextEncoding:
    """The text encoding of an exported model.

    Raises:
        DataError: the metadata do not hold what it needs; names ``source``.
        ImportError: a library is missing; says which.
    """
    if about.tokenizer == 'hash':
        try:
            first, size = (int(about.tokenizer_options[name]) for name in ('first', 'vocab_size'))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f'{source}: the tokenizer_options of its metadata are broken ({error})') from error
        if not 0 < first < size:
            raise DataError(f'{source}: impossible tokenizer_options {dict(about.tokenizer_options)} in its metadata')
        return HashedWords(about.max_tokens, first, size)
    if TOKENIZER_KEY not in metadata:
        raise DataError(f'{source}: its metadata have no entry {TOKENIZER_KEY!r}')
    kind = CLIPWords if about.tokenizer == 'clip' else TokenizerFile
    return kind(about.max_tokens, metadata[TOKENIZER_KEY])
