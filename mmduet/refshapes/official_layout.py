"""Scenes and expressions as the records of ``instances.json`` and ``refs(unc).p``."""
import sys
from collections.abc import Sequence
from typing import Any

from mmduet.refshapes.expressions import Expression
from mmduet.refshapes.scene import SHAPES, SPLITS, Scene

# Ids say split, scene and object or sentence, so that they do not depend on how many others are written.
SCENES_OF_A_SPLIT = 1_000_000
ITEMS_OF_A_SCENE = 16


def image_name(split: str, index: int) -> str:
    """File name of a scene."""
    return f'refshapes_{split}_{index:06d}.png'


class OfficialLayout:
    """Collects the records of both files; ids count from 1, as COCO's do.

    Equal texts are one object, wherever they come from: pickle writes the second mention of an object as a reference, so the
    file would depend on who made the text.

    Args:
        size: pixels a side of the images.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.refs: list[dict[str, Any]] = []

    def add(self, split: str, index: int, scene: Scene, said: Sequence[Expression],
            others: Sequence[tuple[int, Sequence[Expression]]] = ()) -> None:
        """Add a scene with expressions for its target, and for others of its objects."""
        image_id = SPLITS[split] * SCENES_OF_A_SPLIT + index + 1
        first = image_id * ITEMS_OF_A_SCENE
        name = image_name(split, index)
        self.images.append({'id': image_id, 'file_name': name, 'width': self.size, 'height': self.size})
        for number, (item, (x1, y1, x2, y2)) in enumerate(zip(scene.objects, scene.boxes(self.size).tolist(), strict=True)):
            self.annotations.append({
                'id': first + number, 'image_id': image_id, 'category_id': SHAPES.index(item.shape) + 1,
                'bbox': [x1, y1, x2 - x1, y2 - y1], 'area': (x2 - x1) * (y2 - y1), 'iscrowd': 0, 'segmentation': [],
                'colour': item.colour, 'size': item.size,
            })  # yapf: disable
        sentence_id = first
        for number, (target, expressions) in enumerate([(scene.target, said), *others]):
            sentences = [_sentence(sentence_id + place, expression) for place, expression in enumerate(expressions)]
            sentence_id += len(sentences)
            self.refs.append({
                # That of a scene's first target is the image's.
                'ref_id': number * len(SPLITS) * SCENES_OF_A_SPLIT + image_id, 'ann_id': first + target,
                'category_id': SHAPES.index(scene.objects[target].shape) + 1, 'image_id': image_id,
                'file_name': sys.intern(f'{name[:-4]}_{first + target}.png'), 'split': sys.intern(split),
                'sent_ids': [sentence['sent_id'] for sentence in sentences], 'sentences': sentences,
            })

    def instances(self) -> dict[str, Any]:
        """The content of ``instances.json``."""
        categories = [{'id': number, 'name': shape, 'supercategory': 'shape'} for number, shape in enumerate(SHAPES, 1)]
        return {'info': {'description': 'RefShapes'}, 'licenses': [], 'categories': categories, 'images': self.images,
                'annotations': self.annotations}


def _sentence(sentence_id: int, expression: Expression) -> dict[str, Any]:
    text = sys.intern(expression.text)
    return {'sent_id': sentence_id, 'sent': text, 'raw': text, 'tokens': [sys.intern(word) for word in expression.tokens],
            'kind': sys.intern(expression.kind)}
