"""Which kinds of words an expression uses; the lists, in the JSON beside this file, are ours."""
import json
import re
from pathlib import Path

_IMAGE = r'(?!\s+(?:the\s+|this\s+)?(?:picture|pic|photo|image|screen|frame|shot)\b)'
_SPLIT = re.compile(r"[\w']+")
_OF_AN_OBJECT = re.compile(r'\b(?:left|right|front|top|back|side|middle|center|centre)\s+of\b' + _IMAGE)
# "in the middle", "on left" and "at the top" name a position in the image, not one relative to another object.
_POSITION_PHRASE = re.compile(r'\b(?:on|in|at|to|by)\s+(?:the\s+)?(?:far\s+|very\s+|upper\s+|lower\s+|bottom\s+|top\s+)?'
                           r'(?:left|right|top|bottom|middle|center|centre|front|back|background|foreground|corner|side|edge)\b'
                           r'(?:\s+(?:side|hand|corner|half))*(?:\s+of\b' + _IMAGE.replace('(?!', '(?=') + ')?')

WORDS = {kind: frozenset(words) for kind, words in json.loads(Path(__file__).with_suffix('.json').read_text()).items()}
NONE = 'none of these'


def split_words(expression: str) -> list[str]:
    """Words in lower case, without punctuation."""
    return _SPLIT.findall(expression.lower())


def kinds_of_words(expression: str) -> set[str]:
    """Which of spatial, relational, attribute and ordinal words an expression uses.

    Whole words are compared, so that "laptop" is not spatial. A preposition that only leads to a position in the image ("on
    the left") is not relational; "left of the car" is both spatial and relational.
    """
    text = expression.lower()
    present = set(split_words(text))
    related = _OF_AN_OBJECT.search(text) or set(split_words(_POSITION_PHRASE.sub(' ', text))) & WORDS['relational']
    return {kind for kind, words in WORDS.items() if (related if kind == 'relational' else present & words)}
