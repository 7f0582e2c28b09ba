"""What a sampler of regions takes of a batch and of the teacher's targets."""
from collections.abc import Callable, Collection
from dataclasses import fields
from functools import partial
from logging import WARNING
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmduet.models.task_modules import RegionSampler
from mmduet.models.task_modules.region_sampler import Candidates
from mmduet.structures import GroundingBatch, Regions, TeacherTargets, pool_regions

# A draw depends on the step and on the names of expressions, which are others in every batch: a graph that held it, or read the
# step, would be compiled anew at every step. So a term that draws does it in a forward of its own that is not compiled.
draws_regions: Callable[..., Any] = partial(torch.compiler.disable, recursive=False)

# Fields of a sampler that say how it draws.
DRAWN_BY = ('positives', 'negatives', 'positive_iou', 'negative_iou', 'temperature')


@torch.compiler.disable  # type: ignore[untyped-decorator]
def sample_regions(sampler: RegionSampler, targets: TeacherTargets, batch: GroundingBatch, step: int,
                   predicted: Tensor | None) -> Regions:
    """Draw the regions of a batch by a sampler; ValueError if a similarity map is needed and not given."""
    return sampler.sample(**what_to_sample(sampler, targets, batch, step, predicted))


@torch.compiler.disable  # type: ignore[untyped-decorator]
def propose_regions(sampler: RegionSampler, targets: TeacherTargets, batch: GroundingBatch, step: int,
                    predicted: Tensor | None) -> Candidates:
    """All candidates of a sampler; ValueError likewise. Their number differs from batch to batch."""
    found = sampler.propose(**what_to_sample(sampler, targets, batch, step, predicted))[0]
    for field in fields(found):
        value = getattr(found, field.name)
        if value is not None:
            torch._dynamo.maybe_mark_dynamic(value, min(1, value.dim() - 1))
    return found


def check_sampler(sampler: Any) -> RegionSampler:
    """The sampler itself, if it is built as one.

    Raises:
        ValueError: it extends no ``RegionSampler``, did not call its ``__post_init__``, or does not say what it reads.
    """
    kind = type(sampler).__name__
    if not isinstance(sampler, RegionSampler):
        raise ValueError(f'the sampler {kind} must extend RegionSampler, of mmduet.models.task_modules')
    if not isinstance(getattr(sampler, 'reads_semantics', None), bool):
        raise ValueError(f'{kind} must say reads_semantics: ClassVar[bool] = True, or False')
    if '_boxes' not in vars(sampler):
        raise ValueError(f'{kind} must be a @dataclass(kw_only=True) whose parameters are its fields; a __post_init__ of its '
                         'own calls super().__post_init__()')
    return sampler


def warn_of_idle(sampler: RegionSampler, given: Collection[str], term: str) -> None:
    """Say what of a sampler changes nothing, where all its candidates are taken: how it would draw.

    Args:
        given: keys that its config sets.
        term: who takes them.
    """
    idle = [name for name in DRAWN_BY if name in given]
    if type(sampler).scores.__module__.partition('.')[0] != 'mmduet':
        idle.append('scores()')
    if idle:
        print_log(f'{term} takes all candidates of {type(sampler).__name__} and draws none: its {", ".join(idle)} change '
                  'nothing. RegionContrastTerm draws', logger='current', level=WARNING)


def what_to_sample(sampler: RegionSampler, targets: TeacherTargets, batch: GroundingBatch, step: int,
                   predicted: Tensor | None) -> dict[str, Any]:
    """The arguments of ``RegionSampler.sample`` and ``propose``; ValueError if a similarity map is needed and not given."""
    semantics = partial(pool_similarity, targets.get('similarity')) if sampler.reads_semantics else None
    others = batch.expand(batch.other_boxes) * batch.has_other[..., None]
    return dict(boxes=batch.target_boxes, content=batch.expand(batch.content), size=batch.size, step=step, keys=batch.keys,
                semantics=semantics, others=others, predicted=predicted, other_number=batch.other_number)


def pool_similarity(similarity: Tensor, candidates: Tensor) -> Tensor:
    """(B, K) in [0, 1]: the mean of (B, h, w) similarity maps, mapped to [0, 1], in (B, K, 4) cxcywh boxes of the image."""
    return (1 + pool_regions(similarity.float()[:, None], candidates)[..., 0]) / 2
