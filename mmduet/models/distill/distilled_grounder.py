"""A student that frozen teachers and a distillation head help to train."""
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, TypeVar, cast

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmduet.models.base_grounder import BaseGrounder
from mmduet.models.base_teacher import BaseTeacher
from mmduet.models.data_preprocessor import GroundingDataPreprocessor
from mmduet.models.distill.base_head import DistillHead
from mmduet.models.distill.teacher_checks import (
    check_targets,
    check_teacher,
    measure_targets,
    note_draws,
    random_states,
)
from mmduet.models.losses.loss_checks import check_losses
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, TeacherTargets

Config = dict[str, Any]
T = TypeVar('T')
# The name of a teacher that is alone.
ONLY = 'teacher'


@MODELS.register_module()
class DistilledGrounder(BaseModel):
    """In ``loss`` mode student, teachers and head; in every other mode the student alone.

    A teacher has no gradient, stays in eval mode, and is in no state dict: a checkpoint holds ``student.*`` and ``head.*``.
    ``parameters()`` are those of student and head, and a copy shares the teachers: so a moving average is one of student and
    head. Load the student out of it with ``PretrainedInit(checkpoint=FILE, prefix='student.')``.

    Args:
        student: a ``BaseGrounder`` or its config.
        teacher: a ``BaseTeacher`` or its config; or several, by name.
        head: a ``DistillHead`` or its config, in which ``channels`` and ``embed_dims`` may be left to student and teacher.

    Attributes:
        target_facts: of each teacher, ``measure_targets`` of what it gave in its first training call, and ``note_draws``.

    Raises:
        ValueError: teacher or head is None. A term requires what its teacher does not give; names both. Or a teacher does not
            know its width, or the head was built for other widths or other teachers.

    >>> from mmduet.engine.config_tools import load_config
    >>> from mmduet.registry import MODELS
    >>> model = MODELS.build(load_config('configs/duet/transvg_duet_refshapes.py').model)
    >>> sorted({name.split('.')[0] for name in model.state_dict()})
    ['head', 'student']
    """

    student: BaseGrounder
    head: DistillHead

    def __init__(self, student: Config | BaseGrounder, teacher: Config | BaseTeacher | Mapping[str, Config | BaseTeacher],
                 head: Config | DistillHead) -> None:
        super().__init__()
        if teacher is None or head is None:
            raise ValueError('DistilledGrounder needs a teacher and a head: without them the model is its student alone '
                             '(--patch plain)')
        # The student owns the preprocessor; a second registration would double its entries.
        del self.data_preprocessor
        self.student = _build(student)
        if getattr(self.student, 'channels', None) is None:
            raise ValueError(f'{type(self.student).__name__}.__init__ must set self.channels, the C of its features: the head '
                             'takes its widths from there')
        alone = isinstance(teacher, BaseTeacher) or 'type' in teacher
        named: Mapping[str, Any] = {ONLY: teacher} if alone else cast('Mapping[str, Any]', teacher)
        self.teachers = nn.ModuleDict({name: check_teacher(_build(each)).requires_grad_(False).eval()
                                       for name, each in named.items()})
        self.target_facts: dict[str, dict[str, Tensor]] = {}
        self.head = _build({'channels': self.student.channels, **head, 'embed_dims': self._widths(head)}
                           if isinstance(head, dict) else head)
        self._check_requirements()
        self._check_spaces()
        self.register_state_dict_post_hook(_drop_teachers)
        self.register_load_state_dict_post_hook(_forgive_missing_teachers)

    def _widths(self, head: Config) -> dict[str, int]:
        """D of each teacher, which one in the head's config must not contradict."""
        stated = head.get('embed_dims')
        names = [name for name, _ in self._named_teachers()]
        if isinstance(stated, Mapping) and not stated.keys() <= set(names):
            raise ValueError(f'head.embed_dims names {", ".join(sorted(stated.keys() - set(names)))}, the teachers are '
                             f'{", ".join(names)}')
        widths = {}
        for name, teacher in self._named_teachers():
            wanted = stated.get(name) if isinstance(stated, Mapping) else stated
            own = wanted if teacher.embed_dims is None else teacher.embed_dims
            if own is None:
                raise ValueError(f'{type(teacher).__name__} does not know the width of its embeddings: set head.embed_dims')
            if wanted not in (None, own):
                raise ValueError(f'the teacher embeds in {own} dimensions and the head expects {wanted}: leave head.embed_dims '
                                 'out')
            widths[name] = int(own)
        return widths

    def _named_teachers(self) -> Iterator[tuple[str, BaseTeacher]]:
        return ((name, cast(BaseTeacher, teacher)) for name, teacher in self.teachers.items())

    def _check_requirements(self) -> None:
        teachers = dict(self._named_teachers())
        for required in self.head.requirements:
            if required.teacher not in teachers:
                raise ValueError(f'the term {required.term!r} ({required.kind}) takes the targets of {required.teacher!r}, the '
                                 f'teachers are {", ".join(teachers)}')
            teacher = teachers[required.teacher]
            missing = required.targets - teacher.gives
            if missing:
                raise ValueError(f'the term {required.term!r} ({required.kind}) requires {", ".join(sorted(missing))}, which '
                                 f'{type(teacher).__name__} does not give: it gives {", ".join(sorted(teacher.gives))}')

    def _check_spaces(self) -> None:
        """Refuse a head, built before or told its widths, that does not fit student and teachers."""
        teachers = dict(self._named_teachers())
        for name, space in getattr(self.head, 'spaces', {}).items():
            width = teachers[name].embed_dims if name in teachers else None
            for field, wanted, own, whose in (('channels', space.channels, self.student.channels, 'the student'),
                                              ('embed_dims', space.embed_dims, width, repr(name))):
                if own not in (None, wanted):
                    raise ValueError(f'the head was built for {field} {wanted} of {whose}, which has {own}: leave head.{field} '
                                     'out')

    @property
    def data_preprocessor(self) -> GroundingDataPreprocessor:
        """The student's."""
        return self.student.data_preprocessor

    def init_weights(self) -> None:
        """Initialise student and head, and let the teachers prepare; MMEngine's runner calls it before training."""
        super().init_weights()
        for _, teacher in self._named_teachers():
            teacher.init_weights()

    def named_parameters(self, prefix: str = '', recurse: bool = True,
                         remove_duplicate: bool = True) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters of student and head."""
        return _without_teachers(prefix, super().named_parameters(prefix, recurse, remove_duplicate))

    def named_buffers(self, prefix: str = '', recurse: bool = True,
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Names and buffers of student and head."""
        return _without_teachers(prefix, super().named_buffers(prefix, recurse, remove_duplicate))

    def __deepcopy__(self, memo: dict[int, Any]) -> 'DistilledGrounder':
        twin = type(self).__new__(type(self))
        memo |= {id(self): twin, id(self.teachers): self.teachers}
        twin.__setstate__(deepcopy(self.__getstate__(), memo))
        # Known to the copy but no submodule of it: an average may lie on another device.
        twin._modules.pop('teachers', None)
        twin.__dict__['teachers'] = self.teachers
        return twin

    def forward(self, batch: GroundingBatch, mode: str = 'tensor') -> Any:
        """Losses of student and head (``'loss'``), or what the student alone gives (``'tensor'``, ``'predict'``).

        Raises:
            TypeError, ValueError: losses that are none, or the head names one that the student has too.
        """
        if mode != 'loss':
            return self.student(batch, mode)
        features = self.student(batch)
        losses = self.student.loss(features, batch)
        check_losses(losses, f'{type(self.student).__name__}.loss')
        added: dict[str, Tensor] = self.head(features, self.teach(batch), batch)
        if losses.keys() & added.keys():
            raise ValueError(f'student and head both give {sorted(losses.keys() & added.keys())}')
        return {**losses, **added}

    @torch.no_grad()
    def teach(self, batch: GroundingBatch) -> dict[str, TeacherTargets]:
        """The targets that the head requires, by teacher; one of which none are required is not run."""
        targets = {}
        for name, teacher in self._named_teachers():
            required = self.head.required_of(name)
            targets[name] = TeacherTargets()
            if required:
                first = self.training and name not in self.target_facts
                states = random_states() if first else []
                targets[name] = check_targets(teacher, teacher(batch, required), batch.image_index.shape[0])
                if first:
                    self.target_facts[name] = note_draws(states) | measure_targets(targets[name])
        return targets


def _build(part: Config | nn.Module) -> Any:
    return MODELS.build(part) if isinstance(part, dict) else part


def _without_teachers(prefix: str, members: Iterator[tuple[str, T]]) -> Iterator[tuple[str, T]]:
    start = f'{prefix}.teachers.' if prefix else 'teachers.'
    return ((name, member) for name, member in members if not name.startswith(start))


def _drop_teachers(module: nn.Module, state: dict[str, Any], prefix: str, metadata: dict[str, Any]) -> None:
    start = f'{prefix}teachers.'
    for key in [key for key in state if key.startswith(start)]:
        del state[key]


def _forgive_missing_teachers(module: nn.Module, incompatible: Any) -> None:
    """Take the teachers' names, and no others, out of the list of missing keys."""
    names = {f'teachers.{name}' for name in module.get_submodule('teachers').state_dict()}
    # Under a wrapper the keys carry its prefix, which a hook is not told.
    incompatible.missing_keys[:] = [key for key in incompatible.missing_keys
                                    if key not in names and key[key.find('teachers.'):] not in names]


def student_of(model: nn.Module) -> nn.Module:
    """The student of a distilled grounder; any other model itself."""
    return model.student if isinstance(model, DistilledGrounder) else model
