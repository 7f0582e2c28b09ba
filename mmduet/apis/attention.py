"""Where a student looked, and what its teacher finds alike: maps over the image, beside the answer."""
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mmduet.apis.image_inputs import ChannelOrder, Expressions, list_images, pair
from mmduet.apis.inferencer import GroundingInferencer
from mmduet.apis.results import GroundingResult
from mmduet.models.base_teacher import BaseTeacher

SIMILARITY = frozenset({'similarity'})


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """An answer and where it comes from.

    Attributes:
        result: the answer.
        attention: (h, w) float32, where the query looked when it last read the image: shares of the image that lie on it, in
            the student's resolution, of sum 1; None where the student does not say.
        similarity: (rows, columns) float32 in [-1, 1], cosine of each patch of the image with the expression, by the teacher;
            None without one.
    """

    result: GroundingResult
    attention: NDArray[np.float32] | None
    similarity: NDArray[np.float32] | None


def explain(ground: GroundingInferencer, inputs: Any, expressions: Expressions,
            teacher: BaseTeacher | None = None, channel_order: ChannelOrder | None = None) -> list[Explanation]:
    """Answer expressions about images and say where each answer comes from.

    Args:
        ground: of a student; boxes and scores are those of ``ground(inputs, expressions)``.
        inputs, expressions, channel_order: see ``GroundingInferencer.__call__``.
        teacher: one that gives similarities, on the device of ``ground``; None for no similarity.

    Returns:
        One explanation for each image and expression, image by image.

    Raises:
        TypeError, ValueError, ImageError: see ``GroundingInferencer.__call__``; a teacher that gives no similarity.

    >>> import numpy as np
    >>> from mmduet import GroundingInferencer
    >>> from mmduet.apis import explain
    >>> ground = GroundingInferencer('toy')
    >>> found = explain(ground, np.zeros((32, 64, 3), np.uint8), 'the red ball', channel_order='rgb')[0]
    >>> found.attention.shape, round(float(found.attention.sum()), 3), found.similarity is None
    ((32, 64), 1.0, True)
    """
    if teacher is not None and 'similarity' not in teacher.gives:
        raise ValueError(f'{type(teacher).__name__} gives no similarity, only {", ".join(sorted(teacher.gives))}')
    images = list_images(inputs, channel_order)
    found: list[Explanation] = []
    for image, texts in zip(images, pair(images, expressions), strict=True):
        pixels = image.read()
        results = ground(pixels, list(texts), channel_order='rgb')
        samples = [ground.pipeline({'img': pixels, 'img_path': image.name, 'text': text, 'expression_id': text, 'flip': False})
                   for text in texts]
        maps = _maps(ground.model, ground.collate_fn(samples), teacher)
        found += [Explanation(replace(result, source=image.name), *both) for result, both in zip(results, maps, strict=True)]
    return found


@torch.inference_mode()
def _maps(student: Any, collated: Any, teacher: BaseTeacher | None) -> list[tuple[Any, Any]]:
    """Attention and similarity of every expression of a collated batch, as arrays."""
    batch = student.data_preprocessor(collated, False)['batch']
    try:
        attention = student.extract_with_attention(batch).attention
    except NotImplementedError:
        attention = None
    similarity = None if teacher is None else teacher(batch, SIMILARITY).get('similarity')
    content = batch.expand(batch.content).tolist()
    return [(None if attention is None else cut_to_image(attention[row], content[row], batch.size).cpu().numpy(),
             None if similarity is None else similarity[row].float().cpu().numpy()) for row in range(len(batch))]


def cut_to_image(shares: Tensor, content: Sequence[int], size: int) -> Tensor:
    """(h, w) float32 of sum 1: what of an (H, W) map over a canvas lies on the image, at the canvas's resolution.

    ``content`` is the image's place on the canvas of ``size`` pixels, xyxy. Where nothing of the map lies on the image, all of
    it is alike.
    """
    x1, y1, x2, y2 = content
    canvas = F.interpolate(shares[None, None].float(), size=(size, size), mode='bilinear', align_corners=False)
    pixels = canvas[0, 0, y1:y2, x1:x2]
    total = pixels.sum()
    return pixels / total if total > 0 else torch.full_like(pixels, 1 / pixels.numel())
