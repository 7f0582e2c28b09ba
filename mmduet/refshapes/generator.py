"""One example of RefShapes: a scene, its image and expressions for its target, from (seed, split, index) alone."""
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmduet.refshapes.absent import deny
from mmduet.refshapes.expressions import KINDS, Expression, refer
from mmduet.refshapes.levels import Pairs, find_level
from mmduet.refshapes.render import render
from mmduet.refshapes.scene import SCENE_SIZE, Scene, sample_scene, scene_rng

# The splits that a student may see or be tested on, in the order of the files.
STUDENT_SPLITS = ('train', 'val', 'testA', 'testB', 'heldout')
# The tests keep the kinds apart, as RefCOCO's testA and testB keep people and things apart.
SPLIT_KINDS: dict[str, tuple[str, ...]] = {'testA': ('attribute', 'part'), 'testB': ('superlative', 'relation')}
# Others have any pair of colour and shape: the teacher knows all, as a CLIP trained on the web would.
SPLIT_PAIRS: dict[str, Pairs] = {'train': 'known', 'val': 'known', 'testA': 'known', 'testB': 'known', 'heldout': 'held_out',
                                 'absent': 'known'}


@dataclass(frozen=True, slots=True)
class Example:
    """An image, (size, size, 3) uint8 RGB, of a scene, and expressions for its target.

    ``others`` holds further targets: the index of an object and its expressions.
    """

    scene: Scene
    image: NDArray[np.uint8]
    expressions: tuple[Expression, ...]
    others: tuple[tuple[int, tuple[Expression, ...]], ...] = ()


def make_example(seed: int, split: str, index: int, size: int = SCENE_SIZE, expressions: int = 1,
                 level: str = 'standard', targets: int = 1) -> Example:
    """Make example ``index`` of a split with up to ``expressions`` different expressions of its target, at least one.

    With more ``targets``, up to so many objects have expressions, the target first; its own do not depend on that. Of split
    ``absent`` there is one expression, which is true of nothing in the scene; its target means nothing.

    Raises:
        ValueError: an unknown split or level, less than one expression, or an image of less than 16 pixels.
    """
    if min(expressions, targets) < 1:
        raise ValueError(f'an example needs at least 1 target and 1 expression, got {targets} and {expressions}')
    rng = scene_rng(seed, split, index, level)
    kinds: Sequence[str] = SPLIT_KINDS.get(split, KINDS)
    pairs, full = SPLIT_PAIRS.get(split, 'all'), split == 'heldout'
    while True:
        scene = sample_scene(rng, find_level(level), pairs)
        first = deny(rng, scene) if split == 'absent' else refer(rng, scene, kinds, full)
        if first is not None:
            break
    image = render(rng, scene, size, find_level(level).textured)
    if split == 'absent':
        return Example(scene, image, (first, ))
    said = _say(rng, scene, kinds, full, expressions, first)
    others: list[tuple[int, tuple[Expression, ...]]] = []
    for index in rng.permutation(len(scene.objects)).tolist() if targets > 1 else ():
        other = replace(scene, target=index)
        if index != scene.target and len(others) < targets - 1 and (its := refer(rng, other, kinds, full)) is not None:
            others.append((index, _say(rng, other, kinds, full, expressions, its)))
    return Example(scene, image, said, tuple(others))


def _say(rng: np.random.Generator, scene: Scene, kinds: Sequence[str], full: bool, count: int,
         first: Expression) -> tuple[Expression, ...]:
    """``first`` and up to ``count`` - 1 other expressions for the target."""
    said = {first.tokens: first}
    # A scene may not have that many different expressions, so the tries are limited.
    for _ in range(8 * (count - 1)):
        if len(said) == count:
            break
        more = refer(rng, scene, kinds, full)
        if more is not None:
            said.setdefault(more.tokens, more)
    return tuple(said.values())
