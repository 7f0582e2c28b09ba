import torch

from mmduet.models.layers import Projector


def test_two_layers_and_unit_norm():
    torch.manual_seed(0)
    projector = Projector(6, 10)
    assert [tuple(parameter.shape) for parameter in projector.parameters()] == [(6, 6), (6, ), (10, 6), (10, )]
    features = torch.randn(2, 3, 6)
    hidden = (features @ projector.layers[0].weight.T + projector.layers[0].bias).clamp(min=0)
    expected = hidden @ projector.layers[2].weight.T + projector.layers[2].bias
    torch.testing.assert_close(projector(features), expected / expected.norm(dim=-1, keepdim=True))
