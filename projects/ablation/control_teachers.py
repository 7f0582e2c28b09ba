"""Control teachers: a gain from them is none of a trained teacher's knowledge.

A shuffled teacher gives each expression the targets of another; an untrained one has random weights.
"""
from collections.abc import Set
from typing import Any

import torch

from mmduet.models.base_teacher import BaseTeacher
from mmduet.registry import MODELS
from mmduet.structures import PER_EXPRESSION, PER_IMAGE, GroundingBatch, TeacherTargets


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


def _without_weights(node: Any) -> Any:
    """A copy of a config in which every ``pretrained`` is None."""
    if isinstance(node, dict):
        return {key: None if key == 'pretrained' else _without_weights(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(_without_weights(value) for value in node)
    return node
