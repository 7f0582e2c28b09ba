"""Regions of RefShapes scenes with phrases: what the tiny CLIP is trained on."""
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from mmduet.datasets.transforms.direction_words import swap_sides
from mmduet.refshapes.expressions import caption, region_phrase
from mmduet.refshapes.generator import Example, make_example
from mmduet.refshapes.levels import find_level
from mmduet.refshapes.scene import COLOUR_NAMES, SHAPES, SPLITS, scene_rng
from mmduet.registry import DATASETS


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionSample:
    """What is known of one scene; n objects, of which k are cropped.

    Attributes:
        boxes: (n, 4) cxcywh in [0, 1] of the scene.
        labels: (n,) index into ``region_prompts()``: the object's shape and colour.
        phrases: one phrase of each object; the target's may be the referring expression.
        cropped: (k,) indices of the objects to crop.
        crop_boxes: (k, 4) their boxes, cxcywh in [0, 1], jittered.
        caption: names up to three objects.
        target: index of the object that ``expression`` refers to.
        expression: the referring expression.
        kind: its kind.
    """

    boxes: Tensor
    labels: Tensor
    phrases: tuple[str, ...]
    cropped: Tensor
    crop_boxes: Tensor
    caption: str
    target: int
    expression: str
    kind: str


def region_prompts() -> tuple[str, ...]:
    """``a <colour> <shape>`` for all 80 pairs, in the order of the labels."""
    return tuple(f'a {colour} {shape}' for shape in SHAPES for colour in COLOUR_NAMES)


def mirrored(sample: RegionSample) -> RegionSample:
    """The same scene seen in a mirror: boxes on the other side, left and right exchanged in the words."""
    def flip(boxes: Tensor) -> Tensor:
        return torch.cat([1 - boxes[:, :1], boxes[:, 1:]], dim=1)

    return replace(sample, boxes=flip(sample.boxes), crop_boxes=flip(sample.crop_boxes),
                   phrases=tuple(swap_sides(phrase)[0] for phrase in sample.phrases),
                   expression=swap_sides(sample.expression)[0])


@DATASETS.register_module()
class RefShapesRegionDataset(Dataset[dict[str, Any]]):
    """Scenes with crops, phrases and captions, made when they are asked for; every index is another scene.

    An item is ``{'inputs': (3, S, S) uint8 RGB scene, 'data_samples': RegionSample}``.

    Args:
        length: number of scenes.
        image_size: S, pixels a side.
        seed: of the scenes; differs from the student's data by seed and by split.
        split: ``region`` or ``region_val``.
        crops: at most this many objects of a scene are cropped; 0 crops all.
        jitter: crops move by up to half of it times their size, and their size varies by up to it.
        expression_rate: how often the target's phrase is its referring expression.
        mirror: how often a scene is mirrored as ``RandomFlip`` mirrors images: boxes too, and left and right are exchanged in
            the words. The scenes themselves are the same whatever this is.
        level: of difficulty.

    Raises:
        ValueError: an unknown split or level, or a number out of its range.
    """

    def __init__(self, length: int, image_size: int = 64, seed: int = 100, split: str = 'region', crops: int = 0,
                 jitter: float = 0.0, expression_rate: float = 0.6, mirror: float = 0.0,
                 level: str = 'standard') -> None:
        if length < 1 or crops < 0 or not 0 <= jitter < 1 or not 0 <= expression_rate <= 1 or not 0 <= mirror <= 1:
            raise ValueError('RefShapesRegionDataset needs length >= 1, crops >= 0, 0 <= jitter < 1, 0 <= expression_rate <= 1 '
                             f'and 0 <= mirror <= 1, got {length}, {crops}, {jitter}, {expression_rate} and {mirror}')
        if split not in SPLITS:
            raise ValueError(f'RefShapes has the splits {", ".join(SPLITS)}, not {split!r}')
        find_level(level)
        self.length = length
        self.image_size = image_size
        self.seed = seed
        self.split = split
        self.crops = crops
        self.jitter = jitter
        self.expression_rate = expression_rate
        self.mirror = mirror
        self.level = level

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not 0 <= index < self.length:
            raise IndexError(f'scene {index} of {self.length}')
        example = make_example(self.seed, self.split, index, self.image_size, level=self.level)
        # Own numbers, so that the scene does not depend on how it is cropped and described.
        rng, image = scene_rng(self.seed + 1, self.split, index, self.level), example.image
        sample = self._describe(rng, example)
        # Drawn last, so that nothing else depends on it.
        if rng.random() < self.mirror:
            sample, image = mirrored(sample), image[:, ::-1]
        return {'inputs': torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))), 'data_samples': sample}

    def _describe(self, rng: np.random.Generator, example: Example) -> RegionSample:
        scene, expression = example.scene, example.expressions[0]
        count = len(scene.objects)
        corners = scene.boxes(1)
        boxes = np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)
        cropped = np.sort(rng.permutation(count)[:self.crops or count])
        phrases = [region_phrase(rng, item) for item in scene.objects]
        if rng.random() < self.expression_rate:
            phrases[scene.target] = expression.text
        labels = [SHAPES.index(item.shape) * len(COLOUR_NAMES) + COLOUR_NAMES.index(item.colour) for item in scene.objects]
        return RegionSample(boxes=torch.from_numpy(boxes), labels=torch.tensor(labels), phrases=tuple(phrases),
                            cropped=torch.from_numpy(cropped), crop_boxes=torch.from_numpy(self._jitter(rng, boxes[cropped])),
                            caption=caption(rng, scene), target=scene.target, expression=expression.text, kind=expression.kind)

    def _jitter(self, rng: np.random.Generator, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (k, 4) cxcywh, moved and scaled."""
        move, grow = rng.random((len(boxes), 2)) - 0.5, 2 * rng.random((len(boxes), 1)) - 1
        centres = boxes[:, :2] + move * self.jitter * boxes[:, 2:]
        return np.concatenate([centres, boxes[:, 2:] * (1 + grow * self.jitter)], axis=1).astype(np.float32)
