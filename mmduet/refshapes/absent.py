"""Expressions that are true of nothing in a scene, though it shows whatever they name, apart."""
from collections.abc import Callable
from itertools import product

import numpy as np

from mmduet.refshapes.expressions import KINDS, POSITION_MARGIN, RELATIONS, Expression, say
from mmduet.refshapes.levels import HELD_OUT
from mmduet.refshapes.scene import Scene

Choices = list[tuple[str, ...]]
PLACES = ('leftmost', 'rightmost', 'top', 'bottom')


def deny(rng: np.random.Generator, scene: Scene) -> Expression | None:
    """Return an expression that fits nothing in the scene, or None where no hard one exists.

    Attribute: a colour and a shape that the scene has, of different objects, or the size that no object of a pair has.
    Superlative: the first or last of a pair that is not there. Relation: such a pair beside a landmark that is there, or one
    that is there on the wrong side of it. Part: an object and a part that are there, of different objects. The kind is drawn
    evenly from those that are possible.
    """
    makers: dict[str, Callable[[Scene], Choices]] = {
        'attribute': _attributes, 'superlative': _superlatives, 'relation': _relations, 'part': _parts}
    possible = [(kind, said) for kind in KINDS if (said := makers[kind](scene))]
    if not possible:
        return None
    kind, choices = possible[int(rng.integers(len(possible)))]
    concepts = choices[int(rng.integers(len(choices)))]
    return Expression(kind, ('the', *(say(rng, concept) for concept in concepts)))


def _pairs(scene: Scene) -> Choices:
    """Colour and shape of each kind of object, once."""
    return list(dict.fromkeys((item.colour, item.shape) for item in scene.objects))


def _missing(scene: Scene) -> Choices:
    """Colours and shapes of the scene that no object has together; of pairs that students may know."""
    there = _pairs(scene)
    colours, shapes = (tuple(dict.fromkeys(pair[k] for pair in there)) for k in (0, 1))
    return [(colour, shape) for colour, shape in product(colours, shapes)
            if (colour, shape) not in there and (shape, colour) not in HELD_OUT]


def _attributes(scene: Scene) -> Choices:
    there = {(item.size, item.colour, item.shape) for item in scene.objects}
    sized = [(size, *pair) for pair in _pairs(scene) for size in ('big', 'small') if (size, *pair) not in there]
    return _missing(scene) + sized


def _superlatives(scene: Scene) -> Choices:
    return [(place, *pair) for place in PLACES for pair in _missing(scene)]


def _relations(scene: Scene) -> Choices:
    said = []
    pairs = [(item.colour, item.shape) for item in scene.objects]
    for landmark, name in zip(scene.objects, pairs, strict=True):
        if pairs.count(name) != 1:
            continue
        for words, distance in RELATIONS:
            said += [(*pair, *words, 'the', *name) for pair in _missing(scene)]
            said += [(*pair, *words, 'the', *name) for pair in _pairs(scene) if pair != name and all(
                distance(item, landmark) < -POSITION_MARGIN for item in scene.objects if (item.colour, item.shape) == pair)]
    return said


def _parts(scene: Scene) -> Choices:
    bodies, parts = _pairs(scene), dict.fromkeys((item.part.colour, item.part.shape) for item in scene.objects if item.part)
    there = {(item.colour, item.shape, item.part.colour, item.part.shape) for item in scene.objects if item.part}
    return [(*body, 'of', 'the', *part) for body in bodies for part in parts if (*body, *part) not in there]
