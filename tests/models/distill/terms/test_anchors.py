from dataclasses import replace

import pytest
import torch

from mmduet.models.distill import QueryAnchor, RegionAnchor, RegionProjector
from mmduet.structures import pool_regions
from tests.distill_batch import CHANNELS, EMBED_DIMS, make_features


@pytest.mark.parametrize(('kind', 'query', 'fused'), [(QueryAnchor, True, False), (RegionAnchor, False, True)])
def test_each_anchor_sends_the_gradient_where_its_name_says_and_never_into_the_box(kind, query, fused):
    features, projector = make_features(), RegionProjector(CHANNELS, EMBED_DIMS)
    anchors = kind(CHANNELS, EMBED_DIMS)(features, projector)
    assert anchors.shape == (2, EMBED_DIMS)
    torch.testing.assert_close(anchors.norm(dim=1), torch.ones(2))
    anchors[:, 0].sum().backward()
    assert [value.grad is not None for value in (features.query, features.fused, features.visual, features.boxes)] == [
        query, fused, False, False]


def test_a_region_anchor_reads_the_map_at_the_last_predicted_box():
    features, projector = make_features(), RegionProjector(CHANNELS, EMBED_DIMS)
    expected = projector(pool_regions(features.fused, features.boxes[-1][:, None]))[:, 0]
    torch.testing.assert_close(RegionAnchor(CHANNELS, EMBED_DIMS)(features, projector), expected)


def test_only_the_query_anchor_has_parameters():
    counts = [sum(p.numel() for p in kind(CHANNELS, EMBED_DIMS).parameters()) for kind in (QueryAnchor, RegionAnchor)]
    assert counts == [8 * 8 + 8 + 8 * 6 + 6, 0]


@pytest.mark.parametrize(('fused', 'read'), [(True, 'fused'), (False, 'visual')])
def test_a_region_is_embedded_by_what_the_map_that_the_answer_reads_shows_inside_it(fused, read):
    projector, features, boxes = RegionProjector(CHANNELS, EMBED_DIMS), make_features(), torch.rand(2, 3, 4)
    features = features if fused else replace(features, fused=None)
    torch.testing.assert_close(projector.embed(features, boxes), projector(pool_regions(getattr(features, read), boxes)))
