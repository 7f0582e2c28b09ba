"""A score from what distillation trained: how well the predicted region fits, and whether another place fits better."""
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmduet.models.layers import PlacedRegionProjector, Projector
from mmduet.models.score_heads.base_score_head import ScoreHead
from mmduet.registry import MODELS
from mmduet.structures import GroundingFeatures, mean_without_padding, pool_regions
from mmduet.structures.regions import token_boxes

# What is compared with the regions of which (B, C, H, W) map, and what embeds these.
PAIRS = {'placed': lambda features: (features.query, features.answer_map),
         'query': lambda features: (features.query, features.answer_map),
         'text': lambda features: (mean_without_padding(features.text, features.text_padding), features.visual)}
EMBED = {'placed': PlacedRegionProjector, 'query': Projector, 'text': Projector}
# Of a cosine before any calibration: the temperature of 0.1 at which cosines are trained.
SCALE = 10.0
KEY = 'score_head.anchors.{}.layers.2.weight'


@MODELS.register_module()
class AgreementScoreHead(ScoreHead):
    """Cosines of expression and predicted region in the spaces that a distillation trained. Nothing here is trained.

    ``placed``: the query embedding with the region of the map that the answer reads, which the ranked contrast brings close;
    ``query``: the same, as the other contrasts have it. ``text``: the mean text token with the region of the visual map, in the
    teacher's space. Each has two readings: the cosine at the predicted box, and that of the best rival, a visual token outside
    it, or for ``placed`` a box of the predicted size around one.

    Args:
        channels: C of the student.
        embed_dims: width of the space by name.

    Raises:
        ValueError: another name, or none.
    """

    def __init__(self, channels: int, embed_dims: Mapping[str, int]) -> None:
        if not embed_dims or not embed_dims.keys() <= PAIRS.keys():
            raise ValueError(f'embed_dims must be by {" or ".join(PAIRS)}, got {dict(embed_dims)}')
        super().__init__([SCALE, -SCALE / 2] * len(embed_dims))
        self.anchors = nn.ModuleDict({name: Projector(channels, width) for name, width in embed_dims.items()})
        self.regions = nn.ModuleDict({name: EMBED[name](channels, width) for name, width in embed_dims.items()})
        self.requires_grad_(False)

    def read(self, features: GroundingFeatures) -> Tensor:
        """See ``ScoreHead.read``: for each space the cosine at the box, and the greatest outside."""
        box = features.boxes[-1]
        unseen = features.visual_padding | _covered(box, features.visual_padding.shape[1:])
        readings = []
        for name, project in self.anchors.items():
            source, visual = PAIRS[name](features)
            regions = _embed_regions(self.regions[name], visual, box)
            cosines = torch.einsum('bd,bnd->bn', project(source), regions)
            rivals = cosines[:, 1:].masked_fill(unseen.flatten(1), -1.0)
            readings += [cosines[:, 0], rivals.amax(dim=1)]
        return torch.stack(readings, dim=1)


def with_score_head(student: Mapping[str, Any], state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The config of a student, with the agreement score head whose weights its state dict brings, if it does."""
    widths = {name: state[key].shape for name in PAIRS if (key := KEY.format(name)) in state}
    if not widths:
        return dict(student)
    return {**student, 'score_head': {'type': 'mmduet.AgreementScoreHead', 'channels': next(iter(widths.values()))[1],
                                      'embed_dims': {name: shape[0] for name, shape in widths.items()}}}


def _embed_regions(embed: nn.Module, visual: Tensor, boxes: Tensor) -> Tensor:
    """(B, 1 + H * W, D): the region of the (B, 4) boxes, and one for each visual token of a (B, C, H, W) map."""
    regions: Tensor
    if isinstance(embed, PlacedRegionProjector):
        centres = token_boxes(visual.shape[2:], boxes)[:, :2].expand(boxes.shape[0], -1, -1)
        around = torch.cat([centres, boxes[:, None, 2:].expand_as(centres)], dim=-1)
        regions = embed(visual, torch.cat([boxes[:, None], around], dim=1))
    else:
        regions = embed(torch.cat([pool_regions(visual, boxes[:, None]), visual.flatten(2).mT], dim=1))
    return regions


def _covered(boxes: Tensor, feature_size: torch.Size) -> Tensor:
    """(B, H, W) bool, True where the centre of a cell of the canvas lies in the (B, 4) cxcywh box."""
    centres = token_boxes(feature_size, boxes)[:, :2]
    near = (centres - boxes[:, None, :2]).abs() <= boxes[:, None, 2:] / 2
    return near.all(dim=-1).unflatten(1, feature_size)
