"""A student that a frozen teacher and a distillation head help to train."""
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor, BaseModel
from torch import Tensor, nn

from mmduet.models.base_grounder import BaseGrounder, Samples, stack_targets
from mmduet.registry import MODELS
from mmduet.structures import TeacherTargets


@MODELS.register_module()
class DistilledGrounder(BaseModel):
    """In ``loss`` mode student, teacher and head; in every other mode the student alone.

    The teacher has no gradient, stays in eval mode, and is in no state dict: a checkpoint holds ``student.*`` and ``head.*``.
    Load the student out of it with ``PretrainedInit(checkpoint=FILE, prefix='student.')``.

    Args:
        student: a ``BaseGrounder`` or its config.
        teacher: a module or its config; ``teacher(images, samples, boxes, needs)`` gives ``TeacherTargets``.
        head: a module or its config; ``head(features, targets, samples)`` gives losses, ``head.needs`` names what it reads.

    Raises:
        ValueError: teacher and head disagree about the width of the embeddings.
    """

    student: BaseGrounder
    teacher: Any
    head: Any

    def __init__(self, student: dict[str, Any] | BaseGrounder, teacher: dict[str, Any] | nn.Module,
                 head: dict[str, Any] | nn.Module) -> None:
        super().__init__()
        # The student owns the preprocessor; a second registration would double its entries.
        del self.data_preprocessor
        self.student = _build(student)
        self.teacher = _build(teacher).requires_grad_(False).eval()
        self.head = _build(head)
        widths = getattr(self.teacher, 'embed_dims', None), getattr(self.head, 'embed_dims', None)
        if None not in widths and widths[0] != widths[1]:
            raise ValueError(f'the teacher embeds in {widths[0]} dimensions and the head expects {widths[1]}: '
                             'set head.embed_dims')
        self.register_state_dict_post_hook(_drop_teacher)
        self.register_load_state_dict_post_hook(_forgive_missing_teacher)

    @property
    def data_preprocessor(self) -> BaseDataPreprocessor:
        """The student's."""
        return self.student.data_preprocessor

    def train(self, mode: bool = True) -> 'DistilledGrounder':
        """Set the mode of student and head; the teacher stays in eval."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, inputs: Tensor, data_samples: Samples, mode: str = 'tensor') -> Any:
        """Losses of student and head (``'loss'``), or what the student alone gives (``'tensor'``, ``'predict'``).

        Raises:
            ValueError: the head names a loss that the student has too.
        """
        if mode != 'loss':
            return self.student(inputs, data_samples, mode)
        features = self.student.extract(inputs, data_samples)
        losses = self.student.loss(features, data_samples)
        added: dict[str, Tensor] = self.head(features, self.ask_teacher(inputs, data_samples), data_samples)
        if losses.keys() & added.keys():
            raise ValueError(f'student and head both give {sorted(losses.keys() & added.keys())}')
        return {**losses, **added}

    @torch.no_grad()
    def ask_teacher(self, inputs: Tensor, samples: Samples) -> TeacherTargets:
        """What the head needs of the teacher about a batch of (B, 3, S, S) normalised canvases; nothing if it needs nothing."""
        needs: frozenset[str] = self.head.needs
        if not needs:
            return TeacherTargets()
        reads = getattr(self.teacher, 'reads_images', True)
        images = self.data_preprocessor.to_unit_range(inputs, samples) if reads else inputs
        targets: TeacherTargets = self.teacher(images, samples, stack_targets(samples, inputs.device), needs)
        return targets


def _build(part: dict[str, Any] | nn.Module) -> Any:
    return MODELS.build(part) if isinstance(part, dict) else part


def _drop_teacher(module: nn.Module, state: dict[str, Any], prefix: str, metadata: dict[str, Any]) -> None:
    start = f'{prefix}teacher.'
    for key in [key for key in state if key.startswith(start)]:
        del state[key]


def _forgive_missing_teacher(module: nn.Module, incompatible: Any) -> None:
    """Take the teacher's names, and no others, out of the list of missing keys."""
    names = {f'teacher.{name}' for name in module.get_submodule('teacher').state_dict()}
    # Under a wrapper the keys carry its prefix, which a hook is not told.
    incompatible.missing_keys[:] = [key for key in incompatible.missing_keys
                                    if key not in names and key[key.find('teacher.'):] not in names]
