"""Relation distillation among the annotated boxes of one image: the text chooses as teacher and location say."""
import torch
from torch import Tensor

from mmduet.models.distill.distill_term import DistillTerm
from mmduet.models.distill.joint_space import JointSpace
from mmduet.models.losses.listwise_loss import EXCLUDED, listwise_loss
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, TeacherTargets
from mmduet.structures.boxes import iou_cxcywh


@MODELS.register_module()
class InImageRelationTerm(DistillTerm):
    """Divergence of the text's choice among the annotated boxes of its image from a soft label (method). Our choice.

    The label is softmax(logit scale x cosine of the teacher's crop and text + IoU with the target / ``location_temperature``),
    the student's choice the softmax of its own cosines over a temperature. An image without other boxes contributes 0.

    Args:
        space: see ``DistillTerm``.
        weight, temperature: of the loss, and of the student's softmax.
        location_temperature: > 0; a small one trusts the annotation, a large one the teacher.
    """

    required_targets = frozenset({'text', 'region', 'others', 'logit_scale'})

    def __init__(self, space: JointSpace, weight: float = 0.5, temperature: float = 0.1,
                 location_temperature: float = 0.1) -> None:
        super().__init__(space, weight)
        if min(temperature, location_temperature) <= 0:
            raise ValueError(f'temperatures must be positive, got {temperature} and {location_temperature}')
        self.temperature = temperature
        self.location_temperature = location_temperature
        self._space = (space, )  # no submodule: it is the head's
        self._embed = space.require('text', 'region')

    def forward(self, features: GroundingFeatures, targets: TeacherTargets, batch: GroundingBatch, step: int) -> Tensor:
        """See ``DistillTerm.forward``."""
        others = batch.expand(batch.other_boxes)
        exists = torch.cat([batch.has_box, batch.has_other], dim=1)
        boxes = torch.cat([batch.target_boxes[:, None], others], dim=1)
        crops = torch.cat([targets.get('region')[:, None], batch.expand(targets.get('others'))], dim=1)
        agreement = torch.einsum('bkd,bd->bk', crops, targets.get('text')) * targets.get('logit_scale')
        label = agreement + iou_cxcywh(boxes, boxes[:, :1]) / self.location_temperature
        shares = label.masked_fill(~exists, EXCLUDED).softmax(dim=1)
        regions = self._space[0].embed_regions(features, boxes)
        logits = torch.einsum('bd,bkd->bk', self._embed('text', features, batch), regions) / self.temperature
        return self.weight * listwise_loss(logits.masked_fill(~exists, EXCLUDED), shares)
