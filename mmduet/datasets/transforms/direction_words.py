"""Words that tie an expression to a side of the image: what a mirror changes, what it must not touch.

Whole words only: a swap of substrings, common in grounding code, turns "bright" into "bleft".
"""
import re
from collections.abc import Iterator

_WORD = re.compile(r"""\b(?P<before>top|bottom|upper|lower|mid|middle|far|front|back)?(?P<side>left|right)
                       (?P<after>-?(?:most|hand(?:ed)?|wards?|side|front|back|top|bottom|middle)|er|est|ier|iest|ish|y|ies)?
                       (?!\w)""", re.IGNORECASE | re.VERBOSE)
_ABBREVIATION = re.compile(r'\b(?P<side>[lr])hs\b', re.IGNORECASE)
# Words that hold the letters by chance; any other such token is a compound or a typing error that nobody can swap safely.
_INNOCENT = re.compile(r'\w*(?:(?:b|up|f|w|al|out|copy|birth|forth)right|leftover|cleft)\w*', re.IGNORECASE)
_UNSWAPPABLE = re.compile(r"""\d | ["“”„«»] | ``  # figures and quoted writing are mirrored in the image
                              | (?<!\w)['‘](?=\w)[^'’]*(?<=\w)['’](?!\w)
                              | \b(?:east|west)(?:ern|most)?\b | \bo\s?['’]?\s?clock | clockwise
                              | \b[lr]\b""", re.IGNORECASE | re.VERBOSE)
# Words that are one letter from a side and mean themselves.
_ALIKE = ('light', 'night', 'fight', 'might', 'eight', 'sight', 'hight', 'lift', 'loft')


def _misspellings(word: str) -> Iterator[str]:
    """Patterns of a word with a letter left out, added, replaced by another or exchanged with the next, and of itself."""
    for at in range(len(word) + 1):
        before, after = word[:at], word[at:]
        yield f'{before}[a-z]{after}'
        yield f'{before}[a-z]?{after[1:]}'
        yield before + after[1::-1] + after[2:]


# Short for a side, or a typing error: nothing that can be exchanged safely. Real expressions have "let" 36 times for a side
# and twice for itself, "tight" 8 times and 5; one that is not mirrored costs nothing.
_ODD = '|'.join(('rt', 'rgt', 'rite', *_misspellings('left'), *_misspellings('right')))
_MISSPELT = re.compile(rf'\b(?!(?:{"|".join(_ALIKE)})\b)(?:{_ODD})(?:-?most)?\b')
_VERTICAL = re.compile(r'\b(?:top|bottom|middle)(?:-?most)?\b', re.IGNORECASE)
_OPPOSITE = {'left': 'right', 'right': 'left', 'l': 'r', 'r': 'l'}


def _mirror_match(match: re.Match[str]) -> str:
    side = match['side']
    mirrored = _OPPOSITE[side.lower()]
    if side.isupper():
        mirrored = mirrored.upper()
    elif side[0].isupper():
        mirrored = mirrored.capitalize()
    start, end = match.start('side') - match.start(), match.end('side') - match.start()
    return match[0][:start] + mirrored + match[0][end:]


def swap_sides(text: str) -> tuple[str, int]:
    """Exchange left and right, with their endings and as lhs and rhs; case is kept.

    Returns:
        The new text and how many words were exchanged.
    """
    text, words = _WORD.subn(_mirror_match, text)
    text, abbreviations = _ABBREVIATION.subn(_mirror_match, text)
    return text, words + abbreviations


def can_mirror(text: str) -> bool:
    """Whether the expression stays true of the mirrored image once its sides are exchanged.

    False where it speaks of figures or quoted writing, of points of the compass or the clock, or holds left or right in a
    word that ``swap_sides`` does not know, or misspelt by a letter.
    """
    return not _UNSWAPPABLE.search(text) and not _names_an_odd_side(text)


def _names_an_odd_side(text: str) -> bool:
    """Whether a side is shortened, misspelt or within a word that ``swap_sides`` does not know."""
    rest = _INNOCENT.sub('', _WORD.sub('', text)).lower()
    return 'left' in rest or 'right' in rest or _MISSPELT.search(rest) is not None


def names_a_position(text: str) -> bool:
    """Whether the expression says left, right, top, bottom or middle, so that a crop could make it untrue."""
    return bool(_WORD.search(text) or _ABBREVIATION.search(text) or _VERTICAL.search(text) or _names_an_odd_side(text))
