"""A score from what distillation trained: how well the predicted region fits, and whether another place fits better."""
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmduet.models.layers import Projector
from mmduet.models.score_heads.base_score_head import ScoreHead
from mmduet.registry import MODELS
from mmduet.structures import GroundingFeatures, mean_without_padding, pool_regions

# What is compared with the regions of which (B, C, H, W) map.
PAIRS = {'query': lambda features: (features.query, features.answer_map),
         'text': lambda features: (mean_without_padding(features.text, features.text_padding), features.visual)}
# Of a cosine before any calibration: the temperature of 0.1 at which cosines are trained.
SCALE = 10.0
KEY = 'score_head.regions.{}.layers.2.weight'


@MODELS.register_module()
class AgreementScoreHead(ScoreHead):
    """Cosines of expression and predicted region in the spaces that a distillation trained. Nothing here is trained.

    ``query``: the query embedding with the region of the map that the answer reads, which the region contrast brings close.
    ``text``: the mean text token with the region of the visual map, in the teacher's space. Either has two readings: the
    cosine at the predicted box, and the greatest cosine of a visual token outside it, a rival.

    Args:
        channels: C of the student.
        embed_dims: width of the space by name, ``query`` or ``text`` or both.

    Raises:
        ValueError: another name, or none.
    """

    def __init__(self, channels: int, embed_dims: Mapping[str, int]) -> None:
        if not embed_dims or not embed_dims.keys() <= PAIRS.keys():
            raise ValueError(f'embed_dims must be by {" or ".join(PAIRS)}, got {dict(embed_dims)}')
        super().__init__([SCALE, -SCALE / 2] * len(embed_dims))
        self.anchors = nn.ModuleDict({name: Projector(channels, width) for name, width in embed_dims.items()})
        self.regions = nn.ModuleDict({name: Projector(channels, width) for name, width in embed_dims.items()})
        self.requires_grad_(False)

    def read(self, features: GroundingFeatures) -> Tensor:
        """See ``ScoreHead.read``: for each space the cosine at the box, and the greatest outside."""
        box = features.boxes[-1]
        unseen = features.visual_padding | _covered(box, features.visual_padding.shape[1:])
        readings = []
        for name, project in self.anchors.items():
            source, visual = PAIRS[name](features)
            anchor, embed = project(source), self.regions[name]
            inside = embed(pool_regions(visual, box[:, None]))[:, 0]
            tokens = embed(visual.flatten(2).mT)
            rivals = torch.einsum('bd,bnd->bn', anchor, tokens).masked_fill(unseen.flatten(1), -1.0)
            readings += [(anchor * inside).sum(dim=1), rivals.amax(dim=1)]
        return torch.stack(readings, dim=1)


def with_score_head(student: Mapping[str, Any], state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The config of a student, with the agreement score head whose weights its state dict brings, if it does."""
    widths = {name: state[key].shape for name in PAIRS if (key := KEY.format(name)) in state}
    if not widths:
        return dict(student)
    return {**student, 'score_head': {'type': 'mmduet.AgreementScoreHead', 'channels': next(iter(widths.values()))[1],
                                      'embed_dims': {name: shape[0] for name, shape in widths.items()}}}


def _covered(boxes: Tensor, feature_size: torch.Size) -> Tensor:
    """(B, H, W) bool, True where the centre of a cell of the canvas lies in the (B, 4) cxcywh box."""
    y, x = ((torch.arange(count, device=boxes.device, dtype=boxes.dtype) + 0.5) / count for count in feature_size)
    near_x = (x - boxes[:, :1]).abs() <= boxes[:, 2:3] / 2
    near_y = (y - boxes[:, 1:2]).abs() <= boxes[:, 3:] / 2
    return near_y[:, :, None] & near_x[:, None]
