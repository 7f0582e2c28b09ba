"""What a sampler of regions takes of a batch and of the teacher's targets."""
from functools import partial
from typing import Any

from torch import Tensor

from mmduet.models.task_modules import RegionSampler
from mmduet.structures import GroundingBatch, TeacherTargets, pool_regions


def what_to_sample(sampler: RegionSampler, targets: TeacherTargets, batch: GroundingBatch, step: int,
                   predicted: Tensor | None) -> dict[str, Any]:
    """The arguments of ``RegionSampler.sample`` and ``propose``; ValueError if a similarity map is needed and not given."""
    semantics = partial(pool_similarity, targets.get('similarity')) if sampler.reads_semantics else None
    others = batch.expand(batch.other_boxes) * batch.has_other[..., None]
    return dict(boxes=batch.target_boxes, content=batch.expand(batch.content), size=batch.size, step=step, keys=batch.keys,
                semantics=semantics, others=others, predicted=predicted)


def pool_similarity(similarity: Tensor, candidates: Tensor) -> Tensor:
    """(B, K) in [0, 1]: the mean of (B, h, w) similarity maps, mapped to [0, 1], in (B, K, 4) cxcywh boxes of the image."""
    return (1 + pool_regions(similarity.float()[:, None], candidates)[..., 0]) / 2
