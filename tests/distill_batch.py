"""Features, targets and samples that a distillation head can be called with."""
import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmduet.structures import Canvas, GroundingFeatures, TeacherTargets
from tests.tiny_transvg import make_sample

CHANNELS, EMBED_DIMS = 8, 6
CANVAS = Canvas(size=64, left=0, top=8, width=64, height=48, scale_x=1.6, scale_y=1.6)


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
    return TeacherTargets(text=text, region=region, image=image,
                          similarity=2 * torch.rand(batch, 3, 3, generator=generator) - 1)


def make_samples(batch: int = 2, distractors: bool = False) -> list[DetDataSample]:
    """Different photos of 40 x 30 px, with a target each and, if wanted, a distractor more in each."""
    samples = [make_sample(f'thing {k}', CANVAS, (5.0, 5.0, 20.0, 20.0 + k), key=str(k)) for k in range(batch)]
    if distractors:
        for count, sample in enumerate(samples):
            sample.distractors = InstanceData(bboxes=torch.tensor([[24.0, 5.0, 36.0, 15.0]]).repeat(count, 1))
    return samples
