import pytest
import torch

from mmduet.models.layers.box_head import BoxHead, ReferenceBoxHead

NO_PADDING = torch.zeros(1, 4, dtype=torch.bool)


def test_logits_by_hand():
    head = BoxHead(channels=2, num_layers=2)
    first, last = head.layers
    first.weight.data, first.bias.data = torch.tensor([[1.0, 0.0], [0.0, -1.0]]), torch.tensor([0.0, 1.0])
    last.weight.data, last.bias.data = torch.tensor([[1.0, 2.0]] * 4), torch.arange(4.0)
    # Hidden: relu(3, 1 - 2) = (3, 0), so each logit is 3 plus its bias.
    logits = head(torch.tensor([[3.0, 2.0]]), torch.zeros(1, 4, 2), NO_PADDING)
    assert logits.tolist() == [[3.0, 4.0, 5.0, 6.0]]


def test_depth_and_widths():
    assert [tuple(layer.weight.shape) for layer in BoxHead(8, 3).layers] == [(8, 8), (8, 8), (4, 8)]


def _reference_head():
    """Attends by the product of query and visual token; its perceptron adds nothing."""
    head = ReferenceBoxHead(channels=2, num_layers=1)
    for parameter in head.parameters():
        parameter.data.zero_()
    head.attend.weight.data, head.offer.weight.data = torch.eye(2), torch.eye(2)
    return head


def test_the_box_starts_at_the_token_that_the_query_attends_to():
    query, visual = torch.tensor([[100.0, 0.0]]), torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]])
    box = _reference_head()(query, visual, NO_PADDING).sigmoid()[0]
    # The second of 2 x 2 tokens is the top right one; the sides start at sigmoid(-1.2).
    assert box.tolist() == pytest.approx([0.75, 0.25, 0.2315, 0.2315], abs=1e-4)


def test_padded_tokens_are_no_reference():
    query, visual = torch.tensor([[100.0, 0.0]]), torch.tensor([[[0.5, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]])
    padding = torch.tensor([[False, True, False, False]])
    box = _reference_head()(query, visual, padding).sigmoid()[0]
    assert box[:2].tolist() == pytest.approx([0.25, 0.25], abs=1e-4)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_logits_are_exact_under_autocast(dtype):
    head = BoxHead(channels=2, num_layers=1)
    # A third has no short form: in bfloat16 three of them are 1.002, in float16 0.9997.
    head.layers[0].weight.data, head.layers[0].bias.data = torch.full((4, 2), 1 / 3), torch.arange(4.0)
    with torch.autocast('cpu', dtype):
        logits = head(torch.tensor([[3.0, 0.0]], dtype=dtype), torch.zeros(1, 4, 2), NO_PADDING)
    assert logits.dtype == torch.float32
    assert logits[0].tolist() == pytest.approx([1.0, 2.0, 3.0, 4.0], abs=1e-6)


def test_the_reference_is_exact_under_autocast():
    query, visual = torch.tensor([[10.0, 0.0]]), torch.tensor([[[0.5, 0.0], [0.75, 0.0], [0.25, 0.0], [0.0, 0.0]]])
    exact = _reference_head()(query, visual, NO_PADDING)
    with torch.autocast('cpu', torch.bfloat16):
        boxes = _reference_head()(query, visual, NO_PADDING)
    assert boxes.dtype == torch.float32
    torch.testing.assert_close(boxes, exact, rtol=0, atol=2e-2)


def test_a_large_query_does_not_overflow_in_half_precision():
    query, visual = torch.tensor([[30000.0, 0.0]]), torch.tensor([[[2.0, 0.0], [2.5, 0.0], [0.0, 0.0], [0.0, 0.0]]])
    box = _reference_head().half()(query.half(), visual.half(), NO_PADDING)
    assert box.isfinite().all()


def test_a_device_without_autocast_is_none_of_its_business():
    head = BoxHead(channels=2).to('meta')
    assert head(torch.zeros(1, 2, device='meta'), torch.zeros(1, 4, 2, device='meta'), NO_PADDING).shape == (1, 4)
