"""What can be said about a scene: referring expressions that fit one object only, phrases for a region, captions."""
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mmduet.refshapes.scene import UNITS_PER_PIXEL, Part, Scene, SceneObject

# The last kind is of the levels whose objects have parts.
KINDS = ('attribute', 'superlative', 'relation', 'part')
# Position words hold with this many units to spare, so nobody has to measure.
POSITION_MARGIN = 6 * UNITS_PER_PIXEL
# A concept's synonyms are said this often, in percent.
SYNONYM_SHARE = (60, 25, 15)
SYNONYMS = {
    'red': ('red', 'crimson', 'scarlet'),
    'green': ('green', 'emerald', 'lime'),
    'blue': ('blue', 'navy', 'azure'),
    'yellow': ('yellow', 'golden', 'lemon'),
    'purple': ('purple', 'violet', 'lilac'),
    'orange': ('orange', 'amber', 'tangerine'),
    'gray': ('gray', 'silver', 'ashen'),
    'pink': ('pink', 'rose', 'salmon'),
    'brown': ('brown', 'chestnut', 'cocoa'),
    'cyan': ('cyan', 'turquoise', 'teal'),
    'circle': ('circle', 'ball', 'disc'),
    'square': ('square', 'box', 'block'),
    'triangle': ('triangle', 'pyramid', 'wedge'),
    'star': ('star', 'asterisk', 'spark'),
    'diamond': ('diamond', 'rhombus', 'gem'),
    'cross': ('cross', 'plus', 'sign'),
    'ring': ('ring', 'donut', 'hoop'),
    'arrow': ('arrow', 'pointer', 'cursor'),
    'big': ('big', 'large', 'huge'),
    'small': ('small', 'little', 'tiny'),
}
FUNCTION_WORDS = ('the', 'a', 'and', 'thing', 'leftmost', 'rightmost', 'top', 'bottom', 'left', 'right', 'of', 'above', 'below')
SPECIAL_TOKENS = ('[PAD]', '[UNK]', '[CLS]', '[SEP]')

# An object and a part have a colour and a shape alike.
Test = Callable[[SceneObject | Part], bool]
# A description is the concepts said and what they are true of.
Description = tuple[tuple[str, ...], Test]


@dataclass(frozen=True, slots=True)
class Expression:
    """A referring expression: its kind, one of ``KINDS``, and its words."""

    kind: str
    tokens: tuple[str, ...]

    @property
    def text(self) -> str:
        """The words in one line."""
        return ' '.join(self.tokens)


def vocabulary() -> tuple[str, ...]:
    """All tokens in the order of their ids: special tokens, function words, synonyms."""
    return SPECIAL_TOKENS + FUNCTION_WORDS + tuple(word for words in SYNONYMS.values() for word in words)


def say(rng: np.random.Generator, concept: str) -> str:
    """Return a word for a concept, the rarer synonyms less often; other words are returned as they are."""
    if concept not in SYNONYMS:
        return concept
    draw = int(rng.integers(100))
    first, second, _ = SYNONYM_SHARE
    rank = 0 if draw < first else 1 if draw < first + second else 2
    return SYNONYMS[concept][rank]


def refer(rng: np.random.Generator, scene: Scene, kinds: Sequence[str] = KINDS, full: bool = False) -> Expression | None:
    """Return an expression that fits the target and nothing else, or None where no such expression exists.

    The kind is drawn evenly from those of ``kinds`` that are possible in the scene; a ``full`` expression names the target's
    colour and its shape.
    """
    makers = {'attribute': _attributes, 'superlative': _superlatives, 'relation': _relations, 'part': _parts}
    possible = [(kind, said) for kind in kinds if (said := makers[kind](scene, full))]
    if not possible:
        return None
    kind, choices = possible[int(rng.integers(len(possible)))]
    concepts = choices[int(rng.integers(len(choices)))]
    return Expression(kind, ('the', *(say(rng, concept) for concept in concepts)))


def region_phrase(rng: np.random.Generator, item: SceneObject) -> str:
    """Return a phrase for one region, alone or not: colour and shape, sometimes with the size, or only one of the two."""
    draw = int(rng.integers(100))
    concepts: tuple[str, ...] = (item.colour, item.shape)
    if draw >= 55:
        concepts = ((item.size, item.colour, item.shape) if draw < 70 else (item.shape, ) if draw < 85 else
                    (item.colour, 'thing'))
    if item.part is not None and rng.integers(4):
        concepts += ('of', 'the', item.part.colour, item.part.shape)
    article = 'a' if rng.integers(2) else 'the'
    return ' '.join((article, *(say(rng, concept) for concept in concepts)))


def caption(rng: np.random.Generator, scene: Scene) -> str:
    """Return a caption that names up to three objects of the scene."""
    chosen = [scene.objects[int(index)] for index in rng.permutation(len(scene.objects))[:3]]
    return ' and '.join(f'a {say(rng, item.colour)} {say(rng, item.shape)}' for item in chosen)


def _descriptions(item: SceneObject | Part, full: bool = False) -> tuple[Description, ...]:
    """Colour and shape, shape, colour: the ways to name an object without its place or size; only the first if ``full``."""
    both: Description = ((item.colour, item.shape), lambda other: (other.colour, other.shape) == (item.colour, item.shape))
    if full:
        return (both, )
    return (
        both,
        ((item.shape, ), lambda other: other.shape == item.shape),
        ((item.colour, 'thing'), lambda other: other.colour == item.colour),
    )


def _attributes(scene: Scene, full: bool) -> list[tuple[str, ...]]:
    target = scene.referent
    both, *partial = _descriptions(target, full)
    sized: Description = ((target.size, *both[0]), lambda other: both[1](other) and getattr(other, 'size', '') == target.size)
    # Colour with shape counts twice: it is what people say most.
    return [said for said, test in (*partial, both, both, sized) if _count(scene, test) == 1]


def _superlatives(scene: Scene, full: bool) -> list[tuple[str, ...]]:
    target, said = scene.referent, []
    for concepts, test in _descriptions(target, full):
        same = [item for item in scene.objects if test(item)]
        if len(same) < 2:
            continue
        for axis, first, last in (('x', 'leftmost', 'rightmost'), ('y', 'top', 'bottom')):
            places = sorted(getattr(item, axis) for item in same)
            place = getattr(target, axis)
            if place == places[0] and places[1] - places[0] > POSITION_MARGIN:
                said.append((first, *concepts))
            if place == places[-1] and places[-1] - places[-2] > POSITION_MARGIN:
                said.append((last, *concepts))
    return said


def _relations(scene: Scene, full: bool) -> list[tuple[str, ...]]:
    """The target against a landmark that colour and shape name; others that fit the name are clearly elsewhere."""
    target, said = scene.referent, []
    for concepts, test in _descriptions(target, full):
        same = [item for item in scene.objects if test(item)]
        for landmark in scene.objects:
            name, is_landmark = _descriptions(landmark)[0]
            if test(landmark) or _count(scene, is_landmark) != 1:
                continue
            for words, distance in RELATIONS:
                if distance(target, landmark) > POSITION_MARGIN and all(
                        distance(item, landmark) <= 0 for item in same if item is not target):
                    said.append((*concepts, *words, 'the', *name))
    return said


def _parts(scene: Scene, full: bool) -> list[tuple[str, ...]]:
    """The target by its part, with as much of its own colour and shape as is chosen, which may be none."""
    target, part = scene.referent, scene.referent.part
    if part is None:
        return []
    anything: Description = (('thing', ), lambda item: True)
    bodies = _descriptions(target, full) if full else (*_descriptions(target), anything)
    return [(*body, 'of', 'the', *its) for body, is_body in bodies for its, is_part in _descriptions(part)
            if len([item for item in scene.objects if item.part is not None and is_body(item) and is_part(item.part)]) == 1]


RELATIONS: tuple[tuple[tuple[str, ...], Callable[[SceneObject, SceneObject], int]], ...] = (
    (('left', 'of'), lambda item, landmark: landmark.x - item.x),
    (('right', 'of'), lambda item, landmark: item.x - landmark.x),
    (('above', ), lambda item, landmark: landmark.y - item.y),
    (('below', ), lambda item, landmark: item.y - landmark.y),
)


def _count(scene: Scene, test: Test) -> int:
    return sum(test(item) for item in scene.objects)


