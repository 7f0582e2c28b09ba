"""Self-distillation by every visual token: the predicted region comes close to the tokens that the target covers."""
import torch
from torch import Tensor

from mmduet.models.distill.distill_term import DistillTerm
from mmduet.models.distill.joint_space import JointSpace
from mmduet.models.distill.terms.anchors import QueryAnchor, RegionProjector
from mmduet.models.distill.terms.sampling import pool_similarity
from mmduet.models.losses.listwise_loss import EXCLUDED, listwise_loss
from mmduet.models.task_modules.region_sampler import min_max_normalise
from mmduet.models.task_modules.sla_sampler import up_to_target
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, TeacherTargets, to_content
from mmduet.structures.boxes import cxcywh_to_xyxy
from mmduet.structures.regions import token_boxes


@MODELS.register_module()
class DenseContrastTerm(DistillTerm):
    """Region contrast whose regions are all visual tokens of the map that the answer reads; nothing is drawn. Our choice.

    The default of the recipes. The positives of an expression are the tokens that its target covers, each by how much of it is
    covered; the negatives are all others, none inside the target, each counted 1 + ``semantics_weight`` times its semantics
    (method, ``loss_contrast``).

    Args:
        space: see ``DistillTerm``; only its widths are used.
        weight, temperature: of the loss, and of its softmax.
        semantics_weight: how much more a token counts that fits the expression as well as the target; 0 for all alike, which
            requires nothing of the teacher.

    Raises:
        ValueError: the temperature is not positive, or ``semantics_weight`` negative.
    """

    def __init__(self, space: JointSpace, weight: float = 1.0, temperature: float = 0.1, semantics_weight: float = 1.0) -> None:
        super().__init__(space, weight)
        if temperature <= 0 or semantics_weight < 0:
            raise ValueError('the temperature must be positive and semantics_weight must not be negative, got '
                             f'{temperature} and {semantics_weight}')
        self.temperature = temperature
        self.semantics_weight = semantics_weight
        self.projector = RegionProjector(space.channels, space.embed_dims)
        self.anchor = QueryAnchor(space.channels, space.embed_dims)
        self.required_targets = frozenset({'similarity'} if semantics_weight else ())

    def anchors(self, features: GroundingFeatures) -> Tensor:
        """(B, D) unit-norm embeddings of the predicted regions."""
        embedded: Tensor = self.anchor(features, self.projector)
        return embedded

    def forward(self, features: GroundingFeatures, targets: TeacherTargets, batch: GroundingBatch, step: int) -> Tensor:
        """See ``DistillTerm.forward``."""
        tokens = features.answer_map.flatten(2).mT
        covered = token_coverage(batch.target_boxes, features.answer_map.shape[2:])
        logits = torch.einsum('bc,bnc->bn', self.anchors(features), self.projector(tokens)) / self.temperature
        padding = features.visual_padding.flatten(1)
        if self.semantics_weight:
            logits = logits + self.weights(targets, batch, (covered == 0) & ~padding, features.answer_map.shape[2:]).log()
        return self.weight * listwise_loss(logits.masked_fill(padding, EXCLUDED), covered * ~padding)

    def weights(self, targets: TeacherTargets, batch: GroundingBatch, outside: Tensor, size: torch.Size) -> Tensor:
        """(B, N) how often each token of an (H, W) map counts, 1 or more; ``outside`` is True where there are negatives."""
        tokens = token_boxes(size, batch.target_boxes).expand(len(batch), -1, -1)
        boxes = torch.cat([batch.target_boxes[:, None], tokens], dim=1)
        candidates = to_content(boxes, batch.expand(batch.content), batch.size)
        semantics = relative_semantics(pool_similarity(targets.get('similarity'), candidates), candidates)
        return 1 + self.semantics_weight * self.emphasis(semantics, outside)

    def emphasis(self, semantics: Tensor, outside: Tensor) -> Tensor:
        """(B, N) in [0, 1], how much of ``semantics_weight`` a token counts more; ``outside`` is where there are negatives."""
        return semantics * outside


def relative_semantics(similarity: Tensor, candidates: Tensor) -> Tensor:
    """(B, N) in [0, 1], how well each token fits the expression; 0 for one that fits better than the target.

    Args:
        similarity: (B, 1 + N), of the target and of the tokens.
        candidates: (B, 1 + N, 4) cxcywh of the image without padding; a token whose centre is not in it fits 0.
    """
    inside = (candidates[..., :2] > 0).all(dim=-1) & (candidates[..., :2] < 1).all(dim=-1)
    return up_to_target(min_max_normalise(similarity, inside))[:, 1:] * inside[:, 1:]


def token_coverage(boxes: Tensor, size: torch.Size) -> Tensor:
    """(B, H * W) share of each token of an (H, W) map that the (B, 4) cxcywh box covers, in [0, 1]."""
    tokens, corners = cxcywh_to_xyxy(token_boxes(size, boxes)), cxcywh_to_xyxy(boxes)[:, None]
    sides = torch.minimum(tokens[:, 2:], corners[..., 2:]) - torch.maximum(tokens[:, :2], corners[..., :2])
    return sides.clamp(min=0).prod(dim=-1) * size[0] * size[1]
