import torch

from mmduet.models.layers.box_head import BoxHead


def test_logits_by_hand():
    head = BoxHead(channels=2, num_layers=2)
    first, last = head.layers
    first.weight.data, first.bias.data = torch.tensor([[1.0, 0.0], [0.0, -1.0]]), torch.tensor([0.0, 1.0])
    last.weight.data, last.bias.data = torch.tensor([[1.0, 2.0]] * 4), torch.arange(4.0)
    # Hidden: relu(3, 1 - 2) = (3, 0), so each logit is 3 plus its bias.
    assert head(torch.tensor([[3.0, 2.0]])).tolist() == [[3.0, 4.0, 5.0, 6.0]]


def test_depth_and_widths():
    assert [tuple(layer.weight.shape) for layer in BoxHead(8, 3).layers] == [(8, 8), (8, 8), (4, 8)]
