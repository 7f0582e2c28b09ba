"""Text and JSON from files that others wrote; whatever is wrong is named with its file and line."""
import codecs
import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmduet.io.errors import DataError
from mmduet.io.files import read_regular

_GUESSED = 1000
# Stands where a letter could not be read.
LOST = '\N{REPLACEMENT CHARACTER}'
_LETTER = re.compile(r'[^\W_]')
# Categories of Unicode.
_UNSEEN = frozenset(('Zs', 'Zl', 'Zp', 'Cc', 'Cf', 'Co', 'Cs', 'Mn'))
_HALF = re.compile('[\ud800-\udfff]')


def read_text(path: Path) -> str:
    """The content of a file in UTF-8, with or without a byte order mark.

    Raises:
        DataError: it does not exist, or is no text.
    """
    try:
        content = read_regular(path)
    except FileNotFoundError as error:
        raise DataError(f'{path} does not exist') from error
    except (OSError, ValueError) as error:  # the latter for a name that no file can have, and where it is no regular file
        raise DataError(str(error) if isinstance(error, DataError) else f'{path} cannot be read: '
                        f'{getattr(error, "strerror", None) or error}') from error
    try:
        # Lines end as they do where a file is opened as text.
        return content.decode('utf-8-sig').replace('\r\n', '\n').replace('\r', '\n')
    except UnicodeDecodeError as error:
        number = content.count(b'\n', 0, error.start) + 1
        guess = _guess_encoding(content)
        raise DataError(f'{path}:{number}: is no text in UTF-8{guess}; save it as UTF-8 ({error})') from error


def is_blank(text: str) -> bool:
    r"""Whether nothing of a text is seen or read: white space, controls, accents alone and what has no width.

    Word pieces leave nothing of it either.

    >>> is_blank('\u200b \ufeff'), is_blank('\u200ba cup'), is_blank('?')
    (True, False, False)
    """
    if _LETTER.search(text):  # at once for all but a few
        return False
    # Not Cn: a sign younger than this Python's tables is seen, and must not be left out by one Python and kept by another.
    return all(unicodedata.category(letter) in _UNSEEN for letter in text if letter != LOST)


def counted(number: int, noun: str, plural: str = '') -> str:
    """A number and its noun, in the plural, by default with an s, unless there is one.

    >>> counted(1, 'image'), counted(2000, 'image'), counted(0, 'process', 'processes')
    ('1 image', '2,000 images', '0 processes')
    """
    return f'{number:,} {noun if number == 1 else plural or f"{noun}s"}'


def half_character(text: str) -> str:
    r"""The first half of a character (a lone surrogate), which no UTF-8 holds and no tokenizer takes; empty where none is.

    JSON can say one alone, and Python makes one of a byte that it cannot read on the command line.

    >>> len(half_character('a \ud83d cup')), len(half_character('a cup'))
    (1, 0)
    """
    found = None if text.isascii() else _HALF.search(text)
    return found[0] if found else ''


def repair_mojibake(text: str) -> str:
    """What a text would be if its UTF-8 had been read as Windows-1252 or Latin-1; empty where it was not.

    >>> repair_mojibake('caf\u00c3\u00a9 table'), repair_mojibake('caf\u00e9 table')
    ('caf\u00e9 table', '')
    """
    if text.isascii():
        return ''
    for encoding in ('cp1252', 'latin-1'):
        try:
            return text.encode(encoding).decode('utf-8')
        except UnicodeError:
            continue
    return ''


def _guess_encoding(content: bytes) -> str:
    """What bytes that are no UTF-8 may be instead, for a message."""
    start = content[:_GUESSED]
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or start.count(0) > len(start) // 4:
        return ', but looks like UTF-16'
    return '' if 0 in start else ', but may be Latin-1 or Windows-1252'


def parse_json(text: str, where: str) -> Any:
    """The value that a text of JSON stands for; ``where`` names it in the message of a ``DataError``."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f'{where}: not valid JSON: {error}') from error


def read_json(path: Path) -> Any:
    """The value that a JSON file holds; raises as ``read_text`` and ``parse_json``."""
    return parse_json(read_text(path), str(path))


def read_lines(path: Path) -> list[str]:
    """Lines without their ends, as ``read_text`` reads them; what else Unicode takes for the end of a line does not end one."""
    text = read_text(path).removesuffix('\n')
    return text.split('\n') if text else []


def read_json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """``file:line`` and the value of each line that is not blank; raises as ``read_text`` and ``parse_json``."""
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            yield f'{path}:{number}', parse_json(line, f'{path}:{number}')
