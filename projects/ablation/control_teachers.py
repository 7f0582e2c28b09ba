"""Control teachers: a gain from them is none of a trained teacher's knowledge.

A shuffled teacher gives each expression the targets of another; an untrained one has random weights. An exact one is the
other bound: its similarity maps are right to the pixel.
"""
from collections.abc import Set
from dataclasses import replace
from typing import Any

import torch

from mmduet.models.base_teacher import BaseTeacher
from mmduet.registry import MODELS
from mmduet.structures import PER_EXPRESSION, PER_IMAGE, GroundingBatch, TeacherTargets, to_content


@MODELS.register_module()
class ShuffledTeacher(BaseTeacher):
    """Give for each expression what the wrapped teacher gives for the one before it in the batch.

    All fields move together, so that an expression gets one other's text, region, image and patches, and the statistics of
    the teacher's targets stay as they are. Nothing is drawn at random.

    Args:
        teacher: a teacher or its config.
    """

    def __init__(self, teacher: dict[str, Any] | BaseTeacher) -> None:
        super().__init__()
        self.teacher: BaseTeacher = MODELS.build(teacher) if isinstance(teacher, dict) else teacher
        self.embed_dims = self.teacher.embed_dims
        self.gives = self.teacher.gives

    def forward(self, batch: GroundingBatch, required: Set[str]) -> TeacherTargets:
        """See ``BaseTeacher.forward``.

        Raises:
            ValueError: a batch of one, in which there is no other expression, or one whose expressions share images.
        """
        if len(batch) < 2:
            raise ValueError('ShuffledTeacher needs batches of two expressions or more: one alone would keep its targets')
        if batch.shared_index is not None:
            raise ValueError('ShuffledTeacher needs an image for each expression: those that share one would keep its targets')
        given = self.teacher(batch, required).given()
        moving = PER_EXPRESSION | PER_IMAGE
        return TeacherTargets(**{name: value.roll(1, dims=0) if name in moving else value for name, value in given.items()})


@MODELS.register_module()
class UntrainedTeacher(BaseTeacher):
    """A teacher with random weights: every ``pretrained`` of its config is None.

    The weights depend on ``seed`` alone and drawing them leaves PyTorch's generator as it was, so that head and student of a
    run start as they do with any other teacher.

    Args:
        teacher: config of a teacher.
        seed: of the weights.
    """

    def __init__(self, teacher: dict[str, Any], seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.teacher: BaseTeacher = MODELS.build(_without_weights(teacher))
        self.embed_dims = self.teacher.embed_dims
        self.gives = self.teacher.gives

    def forward(self, batch: GroundingBatch, required: Set[str]) -> TeacherTargets:
        """See ``BaseTeacher.forward``."""
        targets: TeacherTargets = self.teacher(batch, required)
        return targets


@MODELS.register_module()
class ExactMapTeacher(BaseTeacher):
    """Give what the wrapped teacher gives, but a similarity map that is exactly right: 1 in the target and -1 around it.

    What labels or draws by semantics cannot win with these maps, they cannot win with a better teacher.

    Args:
        teacher: a teacher or its config.
        cells: of the map along a side; the share of a cell that lies in the target decides its value.

    Raises:
        ValueError: no cells.
    """

    def __init__(self, teacher: dict[str, Any] | BaseTeacher, cells: int = 32) -> None:
        super().__init__()
        if cells < 1:
            raise ValueError(f'a map has at least 1 cell along a side, got {cells}')
        self.teacher: BaseTeacher = MODELS.build(teacher) if isinstance(teacher, dict) else teacher
        self.embed_dims = self.teacher.embed_dims
        self.gives = self.teacher.gives | {'similarity'}
        self.cells = cells

    def forward(self, batch: GroundingBatch, required: Set[str]) -> TeacherTargets:
        """See ``BaseTeacher.forward``."""
        targets: TeacherTargets = self.teacher(batch, required - {'similarity'})
        if 'similarity' not in required:
            return targets
        boxes = to_content(batch.target_boxes[:, None], batch.expand(batch.content), batch.size)[:, 0]
        return replace(targets, similarity=2 * cover(boxes, self.cells) - 1)


def cover(boxes: torch.Tensor, cells: int) -> torch.Tensor:
    """(B, cells, cells) shares of the cells of an image that lie in (B, 4) cxcywh boxes in [0, 1] of it."""
    edges = torch.arange(cells + 1, device=boxes.device, dtype=boxes.dtype) / cells
    low, high = boxes[:, :2, None] - boxes[:, 2:, None] / 2, boxes[:, :2, None] + boxes[:, 2:, None] / 2
    along = cells * (torch.minimum(high, edges[1:]) - torch.maximum(low, edges[:-1])).clamp(min=0)
    return along[:, 1, :, None] * along[:, 0, None, :]


def _without_weights(node: Any) -> Any:
    """A copy of a config in which every ``pretrained`` is None."""
    if isinstance(node, dict):
        return {key: None if key == 'pretrained' else _without_weights(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(_without_weights(value) for value in node)
    return node
