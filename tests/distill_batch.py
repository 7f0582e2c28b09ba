"""Features, targets and batches that a distillation term can be called with."""
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData

from mmduet.models import GroundingDataPreprocessor
from mmduet.models.distill import DUETHead, FeatureTerm, JointSpace, RegionContrastTerm, RelationTerm
from mmduet.structures import Canvas, GroundingBatch, GroundingFeatures, TargetIdentity, TeacherTargets
from tests.tiny_transvg import make_sample

CHANNELS, EMBED_DIMS = 8, 6
CANVAS = Canvas(size=64, left=0, top=8, width=64, height=48, scale_x=1.6, scale_y=1.6)
TERMS: dict[str, Any] = dict(
    image=dict(type=FeatureTerm, student='image', teacher='image'),
    region=dict(type=FeatureTerm, student='region', teacher='region'),
    text=dict(type=FeatureTerm, student='text', teacher='text'), relation=dict(type=RelationTerm),
    contrast=dict(type=RegionContrastTerm))


def make_space() -> JointSpace:
    """The student's embeddings, always with the same weights."""
    torch.manual_seed(0)
    return JointSpace(CHANNELS, EMBED_DIMS)


def make_head(warmup_steps: int = 0, **terms: Any) -> DUETHead:
    """The head of the method with some terms changed; None leaves one out."""
    torch.manual_seed(0)
    return DUETHead({**TERMS, **terms}, CHANNELS, {'teacher': EMBED_DIMS}, warmup_steps)


def make_features(batch: int = 2, seed: int = 0, dtype: torch.dtype = torch.float32) -> GroundingFeatures:
    """Random features that take a gradient."""
    generator = torch.Generator().manual_seed(seed)

    def leaf(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(dtype).requires_grad_()

    boxes = (0.3 + 0.2 * torch.rand(1, batch, 4, generator=generator)).to(dtype).requires_grad_()
    return GroundingFeatures(boxes=boxes, query=leaf(batch, CHANNELS), visual=leaf(batch, CHANNELS, 4, 4),
                             visual_padding=torch.zeros(batch, 4, 4, dtype=torch.bool), text=leaf(batch, 5, CHANNELS),
                             text_padding=torch.zeros(batch, 5, dtype=torch.bool), fused=leaf(batch, CHANNELS, 4, 4))


def make_targets(batch: int = 2, seed: int = 1) -> TeacherTargets:
    """Random unit-norm targets."""
    generator = torch.Generator().manual_seed(seed)
    text, region, image = (F.normalize(torch.randn(batch, EMBED_DIMS, generator=generator), dim=1) for _ in range(3))
    return TeacherTargets(text=text, region=region, image=image, logit_scale=torch.tensor(20.0),
                          similarity=2 * torch.rand(batch, 3, 3, generator=generator) - 1)


def make_batch(batch: int = 2, others: bool = False, box: tuple[float, float, float, float] | None = None) -> GroundingBatch:
    """Different images of 40 x 30 px, with a target each and, if wanted, an annotated object more in each.

    Args:
        batch: B.
        others: the first expression has no other object, the second one, ...
        box: the target of all, xyxy in pixels.
    """
    samples = [make_sample(f'thing {k}', CANVAS, box or (5.0, 5.0, 20.0, 20.0 + k), key=str(k)) for k in range(batch)]
    if others:
        for count, sample in enumerate(samples):
            sample.distractors = InstanceData(bboxes=torch.tensor([[24.0, 5.0, 36.0, 15.0]]).repeat(count, 1))
    images = [torch.zeros(3, CANVAS.height, CANVAS.width, dtype=torch.uint8) for _ in samples]
    made: GroundingBatch = GroundingDataPreprocessor()({'inputs': images, 'data_samples': samples}, True)['batch']
    return made


def of_images(batch: GroundingBatch, *images: int) -> GroundingBatch:
    """The same batch, whose expressions are about these images and one box in them."""
    identity = TargetIdentity(image=torch.tensor(images), boxes=torch.tensor([[0.5, 0.5, 0.2, 0.2]] * len(images)),
                              whole=torch.ones(len(images), dtype=torch.bool), view=torch.zeros(len(images), dtype=torch.int64))
    return replace(batch, identity=identity)
