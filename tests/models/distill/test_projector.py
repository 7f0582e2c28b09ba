import math
from dataclasses import replace

import pytest
import torch

from mmduet.models.distill.projector import LocatedRegionProjector, Projector, RegionProjector, encode_boxes
from mmduet.structures import pool_regions
from tests.distill_batch import CHANNELS, EMBED_DIMS, make_features


def test_two_layers_and_unit_norm():
    torch.manual_seed(0)
    projector = Projector(6, 10)
    assert [tuple(parameter.shape) for parameter in projector.parameters()] == [(6, 6), (6, ), (10, 6), (10, )]
    features = torch.randn(2, 3, 6)
    hidden = (features @ projector.layers[0].weight.T + projector.layers[0].bias).clamp(min=0)
    expected = hidden @ projector.layers[2].weight.T + projector.layers[2].bias
    torch.testing.assert_close(projector(features), expected / expected.norm(dim=-1, keepdim=True))


@pytest.mark.parametrize('reads', ['visual', 'fused'])
def test_a_region_is_embedded_by_what_the_map_shows_inside_it(reads):
    projector, features, boxes = RegionProjector(CHANNELS, EMBED_DIMS, reads), make_features(), torch.rand(2, 3, 4)
    torch.testing.assert_close(projector.embed(features, boxes), projector(pool_regions(getattr(features, reads), boxes)))


def test_a_map_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"'visual', 'fused'.*got 'deep'"):
        RegionProjector(CHANNELS, EMBED_DIMS, 'deep')
    with pytest.raises(ValueError, match="no fused map to pool regions from: set reads='visual'"):
        RegionProjector(CHANNELS, EMBED_DIMS, 'fused').embed(replace(make_features(), fused=None), torch.rand(2, 3, 4))


def test_only_a_located_projector_tells_equal_looks_at_two_places_apart():
    torch.manual_seed(0)
    features = replace(make_features(1), visual=torch.ones(1, CHANNELS, 4, 4))
    boxes = torch.tensor([[[0.2, 0.5, 0.2, 0.2], [0.8, 0.5, 0.2, 0.2]]], requires_grad=True)
    blind = RegionProjector(CHANNELS, EMBED_DIMS).embed(features, boxes)[0]
    located = LocatedRegionProjector(CHANNELS, EMBED_DIMS).embed(features, boxes)[0]
    torch.testing.assert_close(blind[0], blind[1])
    assert (located[0] - located[1]).norm() > 0.05
    torch.testing.assert_close(located.norm(dim=-1), torch.ones(2))
    located[0, 0].backward()
    assert boxes.grad.abs().sum() > 0


def test_octaves_are_waves_of_halving_length():
    code = encode_boxes(torch.tensor([0.25, 0.5, 0.0, 1.0]), 2).view(4, 4)
    angles = [[2 * math.pi * wave * place for wave in (1, 2)] for place in (0.25, 0.5, 0.0, 1.0)]
    expected = [[*map(math.sin, row), *map(math.cos, row)] for row in angles]
    torch.testing.assert_close(code, torch.tensor(expected), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match='octaves must be at least 1, got 0'):
        LocatedRegionProjector(6, 10, octaves=0)
