"""A distillation term from outside: each patch of the teacher is met by what the student's map shows at its place."""
import torch
import torch.nn.functional as F
from torch import Tensor

from mmduet.models.distill import DistillTerm, JointSpace, Projector
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, TeacherTargets, from_content


@MODELS.register_module()
class PatchCosineTerm(DistillTerm):
    """1 - cosine between the student's visual map, projected, and the teacher's patch features, mean over patches.

    Args:
        space: the widths of student and teacher; given by the head.
        weight: of the loss, which lies in [0, 2].
    """

    required_targets = frozenset({'patches'})

    def __init__(self, space: JointSpace, weight: float = 1.0) -> None:
        super().__init__(space, weight)
        self.projector = Projector(space.channels, space.embed_dims)

    def forward(self, features: GroundingFeatures, targets: TeacherTargets, batch: GroundingBatch, step: int) -> Tensor:
        """See ``DistillTerm.forward``. Patches cover the image, the map covers the canvas: padding is never read."""
        patches = batch.expand(targets.get('patches'))
        y, x = ((torch.arange(count, device=patches.device) + 0.5) / count for count in patches.shape[-2:])
        centres = torch.stack([*torch.meshgrid(x, y, indexing='xy'), *torch.zeros(2, len(y), len(x)).to(patches)], dim=-1)
        on_canvas = from_content(centres.flatten(0, 1)[None], batch.expand(batch.content), batch.size)[..., :2]
        seen = F.grid_sample(features.visual, 2 * on_canvas.unflatten(1, centres.shape[:2]) - 1, align_corners=False)
        return self.weight * (1 - (self.projector(seen.movedim(1, -1)) * patches.movedim(1, -1)).sum(-1)).mean()
