"""Teachers that must not help: what a distilled student gains from them, no knowledge of a teacher has given.

A shuffled teacher keeps everything of a teacher but what it says about whom; an untrained one keeps its architecture.
"""
from collections.abc import Set
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn

from mmduet.models.base_grounder import Samples
from mmduet.registry import MODELS
from mmduet.structures import TeacherTargets


@MODELS.register_module()
class ShuffledTeacher(nn.Module):
    """Answer about each sample what the wrapped teacher says about the sample before it in the batch.

    All fields move together, so that a sample gets one other sample's text, region, image and patches, and the statistics of
    the teacher's answers stay as they are. Nothing is drawn at random.

    Args:
        teacher: a teacher or its config.
    """

    def __init__(self, teacher: dict[str, Any] | nn.Module) -> None:
        super().__init__()
        self.teacher: Any = MODELS.build(teacher) if isinstance(teacher, dict) else teacher
        self.embed_dims: int | None = getattr(self.teacher, 'embed_dims', None)

    def forward(self, images: Tensor, samples: Samples, boxes: Tensor, needs: Set[str]) -> TeacherTargets:
        """See ``CLIPTeacher.forward``.

        Raises:
            ValueError: a batch of one, in which there is no other sample.
        """
        if len(samples) < 2:
            raise ValueError('ShuffledTeacher needs batches of two samples or more: a single one would keep its own targets')
        targets: TeacherTargets = self.teacher(images, samples, boxes, needs)
        said = {field.name: getattr(targets, field.name) for field in fields(targets)}
        return TeacherTargets(**{name: None if value is None else value.roll(1, dims=0) for name, value in said.items()})


@MODELS.register_module()
class UntrainedTeacher(nn.Module):
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
            self.teacher: Any = MODELS.build(_without_weights(teacher))
        self.embed_dims: int | None = getattr(self.teacher, 'embed_dims', None)

    def forward(self, images: Tensor, samples: Samples, boxes: Tensor, needs: Set[str]) -> TeacherTargets:
        """See ``CLIPTeacher.forward``."""
        targets: TeacherTargets = self.teacher(images, samples, boxes, needs)
        return targets


def _without_weights(node: Any) -> Any:
    """A copy of a config in which every ``pretrained`` is None."""
    if isinstance(node, dict):
        return {key: None if key == 'pretrained' else _without_weights(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(_without_weights(value) for value in node)
    return node
