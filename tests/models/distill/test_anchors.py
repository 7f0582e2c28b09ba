import pytest
import torch

from mmduet.models.distill import DifferentiableRegionAnchor, QueryAnchor, RegionAnchor
from mmduet.models.distill.projector import RegionProjector
from mmduet.structures import pool_regions
from tests.distill_batch import CHANNELS, EMBED_DIMS, make_features


@pytest.mark.parametrize(('kind', 'query', 'visual', 'boxes'), [
    (QueryAnchor, True, False, False), (RegionAnchor, False, True, False), (DifferentiableRegionAnchor, False, True, True)])
def test_each_anchor_sends_the_gradient_where_its_name_says(kind, query, visual, boxes):
    features, projector = make_features(), RegionProjector(CHANNELS, EMBED_DIMS)
    anchors = kind(CHANNELS, EMBED_DIMS)(features, projector)
    assert anchors.shape == (2, EMBED_DIMS)
    torch.testing.assert_close(anchors.norm(dim=1), torch.ones(2))
    anchors[:, 0].sum().backward()
    assert [value.grad is not None for value in (features.query, features.visual, features.boxes)] == [query, visual, boxes]


def test_region_anchors_read_the_map_at_the_last_predicted_box():
    features, projector = make_features(), RegionProjector(CHANNELS, EMBED_DIMS)
    expected = projector(pool_regions(features.visual, features.boxes[-1][:, None]))[:, 0]
    for kind in (RegionAnchor, DifferentiableRegionAnchor):
        torch.testing.assert_close(kind(CHANNELS, EMBED_DIMS)(features, projector), expected)


def test_only_the_query_anchor_has_parameters():
    counts = [sum(p.numel() for p in kind(CHANNELS, EMBED_DIMS).parameters())
              for kind in (QueryAnchor, RegionAnchor, DifferentiableRegionAnchor)]
    assert counts == [8 * 8 + 8 + 8 * 6 + 6, 0, 0]
