import json

import pytest
import torch

from mmduet.models.losses.box_loss import BoxLoss, box_loss
from tests.shared_data import shared


def test_values_by_hand():
    # Boxes of side 0.2 at distance 0.1 in x: overlap 0.1 x 0.2, union 0.06, hull 0.06.
    distance, overlap = box_loss(torch.tensor([[0.5, 0.5, 0.2, 0.2]]), torch.tensor([[0.6, 0.5, 0.2, 0.2]]))
    assert distance.item() == pytest.approx(0.1)
    assert overlap.item() == pytest.approx(1 - 1 / 3)


def test_a_perfect_box_costs_nothing_and_weights_scale():
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.4], [0.1, 0.2, 0.1, 0.1]])
    assert [value.item() for value in box_loss(boxes, boxes)] == pytest.approx([0, 0], abs=1e-6)
    far = boxes + 0.1
    plain, weighted = BoxLoss()(boxes, far), BoxLoss(l1_weight=5, giou_weight=2)(boxes, far)
    assert weighted['loss_bbox'].item() == pytest.approx(5 * plain['loss_bbox'].item())
    assert weighted['loss_giou'].item() == pytest.approx(2 * plain['loss_giou'].item())


@pytest.mark.parity
def test_values_and_gradients_are_those_of_the_authors_code():
    cases = json.loads(shared('parity/dev/transvg_loss.json').read_text())['cases']
    assert len(cases) == 5
    for case in cases:
        boxes = torch.tensor(case['pred'], requires_grad=True)
        losses = BoxLoss()(boxes, torch.tensor(case['gt']))
        for name, value in case['losses'].items():
            assert losses[name].item() == pytest.approx(value, rel=1e-5, abs=1e-5), case['name']
        if case['name'] not in ('same', 'batch_of_the_four'):  # at a tie the subgradient is a matter of taste
            sum(losses.values()).backward()
            assert torch.allclose(boxes.grad, torch.tensor(case['grad_pred']), rtol=1e-5, atol=1e-5), case['name']


def test_gradients_are_right_in_double_precision():
    boxes = torch.tensor([[0.4, 0.5, 0.3, 0.2], [0.7, 0.6, 0.2, 0.5]], dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([[0.45, 0.42, 0.25, 0.3], [0.2, 0.2, 0.1, 0.2]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: sum(box_loss(x, targets)), boxes)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_finite_for_empty_boxes(dtype):
    losses = BoxLoss()(torch.zeros(2, 4, dtype=dtype), torch.tensor([[0.5, 0.5, 0.1, 0.1]] * 2, dtype=dtype))
    assert all(value.isfinite() and value.dtype == torch.float32 for value in losses.values())


def test_boxes_that_do_not_pair_up_are_refused():
    with pytest.raises(ValueError, match=r'both be \(B, 4\), got \(2, 4\) and \(1, 4\)'):
        box_loss(torch.zeros(2, 4), torch.zeros(1, 4))
