"""Which kinds of words an expression uses; the lists are ours."""
import re

_COLOURS = ('red crimson scarlet maroon green emerald lime blue navy azure yellow golden gold lemon purple violet '
            'lilac orange amber tangerine gray grey silver ashen pink rose salmon brown chestnut cocoa tan beige '
            'cyan turquoise teal white black blonde blond brunette colored colorful pale bright dark light')
_APPEARANCE = ('big bigger biggest large larger largest huge small smaller smallest little tiny tall taller tallest '
          'short shorter shortest long thin fat wide narrow old older young younger striped stripes plaid '
          'checkered spotted plain shiny blurry blurred bald wooden metal plastic glass leather empty full open '
          'closed round square curly straight clean dirty cut whole broken')
_POSITIONS = ('left right leftmost rightmost lefthand righthand lefty righty lft rt top bottom upper lower '
           'uppermost lowermost topmost middle center centre central corner side edge front back background '
           'foreground far farthest furthest near nearest close closest closer north south east west')
_RELATIONS = ('above below under underneath beneath beside besides behind between near next inside outside against '
              'facing touching holding holds riding rides carrying by on onto atop over across around among')
_ORDINALS = ('first second third fourth fifth sixth seventh eighth ninth tenth last 1st 2nd 3rd 4th 5th 6th 7th '
             '8th 9th 10th')

_IMAGE = r'(?!\s+(?:the\s+|this\s+)?(?:picture|pic|photo|image|screen|frame|shot)\b)'
_SPLIT = re.compile(r"[\w']+")
_OF_AN_OBJECT = re.compile(r'\b(?:left|right|front|top|back|side|middle|center|centre)\s+of\b' + _IMAGE)
# "in the middle", "on left" and "at the top" name a position in the image, not one relative to another object.
_POSITION_PHRASE = re.compile(r'\b(?:on|in|at|to|by)\s+(?:the\s+)?(?:far\s+|very\s+|upper\s+|lower\s+|bottom\s+|top\s+)?'
                           r'(?:left|right|top|bottom|middle|center|centre|front|back|background|foreground|corner|side|edge)\b'
                           r'(?:\s+(?:side|hand|corner|half))*(?:\s+of\b' + _IMAGE.replace('(?!', '(?=') + ')?')

WORDS = {'spatial': frozenset(_POSITIONS.split()), 'relational': frozenset(_RELATIONS.split()),
         'attribute': frozenset((_COLOURS + ' ' + _APPEARANCE).split()), 'ordinal': frozenset(_ORDINALS.split())}
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
    kinds = {kind for kind, words in WORDS.items() if kind != 'relational' and present & words}
    related = bool(_OF_AN_OBJECT.search(text)) or bool(set(split_words(_POSITION_PHRASE.sub(' ', text))) & WORDS['relational'])
    return kinds | ({'relational'} if related else set())
