import torch

from mmduet.models.layers import PlacedRegionProjector, Projector
from mmduet.structures import pool_regions


def test_two_layers_and_unit_norm():
    torch.manual_seed(0)
    projector = Projector(6, 10)
    assert [tuple(parameter.shape) for parameter in projector.parameters()] == [(6, 6), (6, ), (10, 6), (10, )]
    features = torch.randn(2, 3, 6)
    hidden = (features @ projector.layers[0].weight.T + projector.layers[0].bias).clamp(min=0)
    expected = hidden @ projector.layers[2].weight.T + projector.layers[2].bias
    torch.testing.assert_close(projector(features), expected / expected.norm(dim=-1, keepdim=True))


def test_a_box_is_embedded_by_its_parts_and_its_place():
    torch.manual_seed(0)
    embed, visual = PlacedRegionProjector(4, 6), torch.randn(1, 4, 5, 5)
    box = torch.tensor([[[0.5, 0.4, 0.6, 0.3]]])
    parts = [[0.5 + dx * 0.2, 0.4 + dy * 0.1, 0.2, 0.1] for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    pooled = pool_regions(visual, torch.tensor([parts])).flatten()
    expected = embed.projector(embed.parts(pooled) + embed.place(box[0, 0]))
    torch.testing.assert_close(embed(visual, box)[0, 0], expected)
    torch.testing.assert_close(expected.norm(), torch.tensor(1.0))


def test_where_a_map_is_the_same_everywhere_places_differ():
    torch.manual_seed(0)
    embed = PlacedRegionProjector(4, 6)
    left, right = embed(torch.ones(1, 4, 5, 5), torch.tensor([[[0.3, 0.5, 0.2, 0.2], [0.7, 0.5, 0.2, 0.2]]]))[0]
    assert not torch.allclose(left, right, atol=1e-3)
