"""A distillation term from outside: each visual token becomes what the teacher's patches show at its place."""
import torch
import torch.nn.functional as F
from torch import Tensor

from mmduet.models.distill import DistillTerm, JointSpace, Projector
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, TeacherTargets, to_content


@MODELS.register_module()
class PatchCosineTerm(DistillTerm):
    """1 - cosine between the student's visual map, projected, and the teacher's patch features, mean over visual tokens.

    Args:
        space: the widths of student and teacher; given by the head.
        weight: of the loss, which lies in [0, 2].
    """

    required_targets = frozenset({'patches'})

    def __init__(self, space: JointSpace, weight: float = 1.0) -> None:
        super().__init__(space, weight)
        self.projector = Projector(space.channels, space.embed_dims)

    def forward(self, features: GroundingFeatures, targets: TeacherTargets, batch: GroundingBatch, step: int) -> Tensor:
        """See ``DistillTerm.forward``. The map covers the canvas, patches the image: visual tokens at padding do not count."""
        y, x = ((torch.arange(cells, device=features.visual.device) + 0.5) / cells for cells in features.visual.shape[-2:])
        x, y = torch.meshgrid(x, y, indexing='xy')
        centres = torch.stack([x, y, torch.zeros_like(x), torch.zeros_like(y)], dim=-1)
        places = to_content(centres.view(1, -1, 4), batch.expand(batch.content), batch.size)[..., :2].unflatten(1, x.shape)
        taught = F.grid_sample(batch.expand(targets.get('patches')), 2 * places - 1, padding_mode='border', align_corners=False)
        embedded = self.projector(features.visual.movedim(1, -1))
        distance = 1 - F.cosine_similarity(embedded, taught.movedim(1, -1), dim=-1)
        real = ~features.visual_padding
        return self.weight * (distance * real).sum() / real.sum().clamp(min=1)
