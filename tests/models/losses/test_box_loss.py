import json

import pytest
import torch

from mmduet.models.losses.box_loss import BoxLoss, StagedBoxLoss, box_loss
from mmduet.structures.boxes import giou_cxcywh
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
    plain, weighted = BoxLoss()(boxes[None], far), BoxLoss(l1_weight=5, giou_weight=2)(boxes[None], far)
    assert weighted['loss_bbox'].item() == pytest.approx(5 * plain['loss_bbox'].item())
    assert weighted['loss_giou'].item() == pytest.approx(2 * plain['loss_giou'].item())


@pytest.mark.parity
def test_values_and_gradients_are_those_of_the_authors_code():
    cases = json.loads(shared('parity/dev/transvg_loss.json').read_text())['cases']
    assert len(cases) == 5
    for case in cases:
        boxes = torch.tensor(case['pred'], requires_grad=True)
        losses = BoxLoss()(boxes[None], torch.tensor(case['gt']))
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
    losses = BoxLoss()(torch.zeros(1, 2, 4, dtype=dtype), torch.tensor([[0.5, 0.5, 0.1, 0.1]] * 2, dtype=dtype))
    assert all(value.isfinite() and value.dtype == torch.float32 for value in losses.values())


@pytest.mark.parametrize('size', [(0.4, 0.0), (0.0, 0.4), (0.0, 0.0), (0.4, 1e-6), (0.4, 1e-20), (1e-25, 1e-25), (0.4, 1e-39)])
@pytest.mark.parametrize('target', [(0.4, 0.0), (0.0, 0.4), (0.0, 0.0), (0.4, 1e-6), (0.4, 0.3), (1 / 640, 1 / 640)])
@pytest.mark.parametrize('autocast', [False, True])
def test_boxes_without_area_have_a_gradient_of_the_size_of_one_over_a_side(size, target, autocast):
    for shift in (0.0, 1e-30, 1e-7, 1e-3):
        with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
            dtype = torch.bfloat16 if autocast else torch.float32
            boxes = torch.tensor([[[0.5 + shift, 0.5 - shift, *size]]], dtype=dtype, requires_grad=True)
            losses = BoxLoss(l1_weight=0)(boxes, torch.tensor([[0.5, 0.5, *target]]))
        assert 0 <= losses['loss_giou'] <= 2
        losses['loss_giou'].backward()
        assert boxes.grad.abs().max() <= 2 / 1e-5


def test_a_box_as_flat_as_its_target_is_still_pulled_by_its_distance():
    boxes = torch.tensor([[0.4, 0.5, 0.2, 0.0]], requires_grad=True)
    losses = BoxLoss()(boxes[None], torch.tensor([[0.5, 0.5, 0.4, 0.0]]))
    sum(losses.values()).backward()
    assert losses['loss_giou'] == 1 and boxes.grad.tolist() == [[-1, 0, -1, 0]]


def test_boxes_and_targets_of_any_pixel_cost_and_pull_bit_for_bit_as_their_overlap_does():
    rng = torch.Generator().manual_seed(0)
    sides = torch.logspace(-4, 0, 4000)[:, None]
    boxes, targets = (torch.rand(4000, 4, generator=rng) * torch.cat([torch.ones(4000, 2), sides, sides.flip(0)], 1)
                      for _ in range(2))
    boxes[:500, :2], boxes[:100, 2:] = targets[:500, :2], 0.0  # overlapping ones, and flat ones on proper targets
    targets[:, 2:].clamp_(min=1e-4)
    boxes.requires_grad_(True)
    for weights in ((1, 0), (1, 1), (5, 2)):
        losses = BoxLoss(*weights)(boxes[None], targets)
        plain = {'loss_bbox': weights[0] * (boxes - targets).abs().sum(-1).mean(),
                 'loss_giou': weights[1] * (1 - giou_cxcywh(boxes, targets)).mean()}
        assert all(torch.equal(losses[name], plain[name]) for name in plain)
        grads = [torch.autograd.grad(sum(each.values()), boxes)[0] for each in (losses, plain)]
        assert torch.equal(*grads)


def test_boxes_that_do_not_pair_up_are_refused():
    with pytest.raises(ValueError, match=r'both be \(B, 4\), got \(2, 4\) and \(1, 4\)'):
        box_loss(torch.zeros(2, 4), torch.zeros(1, 4))


def test_every_stage_costs_what_it_would_alone():
    targets = torch.tensor([[0.6, 0.5, 0.2, 0.2], [0.3, 0.3, 0.1, 0.2]])
    stages = torch.stack([targets + torch.tensor([-0.1, 0, 0, 0]), targets, targets + 0.05])
    losses = StagedBoxLoss()(stages, targets)
    assert list(losses) == ['loss_bbox_0', 'loss_giou_0', 'loss_bbox_1', 'loss_giou_1', 'loss_bbox', 'loss_giou']
    assert losses['loss_bbox_0'].item() == pytest.approx(5 * 0.1)
    assert [losses['loss_bbox_1'].item(), losses['loss_giou_1'].item()] == pytest.approx([0, 0], abs=1e-6)
    alone = BoxLoss(l1_weight=5, giou_weight=2)(stages, targets)
    assert {name: losses[name].item() for name in alone} == pytest.approx({k: v.item() for k, v in alone.items()})


def test_stages_that_do_not_fit_their_targets_are_refused():
    with pytest.raises(ValueError, match=r'boxes must be \(S, B, 4\) and targets \(B, 4\), got \(2, 4\) and \(2, 4\)'):
        StagedBoxLoss()(torch.zeros(2, 4), torch.zeros(2, 4))


@pytest.mark.parity
def test_values_and_gradients_of_the_stages_are_those_of_the_authors_code():
    cases = json.loads(shared('parity/dev/vltvg_loss.json').read_text())['cases']
    assert len(cases) == 5
    for case in cases:
        boxes = torch.tensor(case['stage_pred'], requires_grad=True)
        losses = StagedBoxLoss()(boxes, torch.tensor(case['gt']))
        ours = {name.replace('l1', 'loss_bbox').replace('giou', 'loss_giou'): case['weights'][name] * value
                for name, value in case['losses'].items()}
        assert {name: value.item() for name, value in losses.items()} == pytest.approx(ours, rel=1e-5, abs=1e-5), case['name']
        sum(losses.values()).backward()
        # The last stage of 'same' is at a tie, where the subgradient is a matter of taste; it is the batch's second box too.
        expected, got = torch.tensor(case['grad_stage_pred']), boxes.grad
        tie = {'same': 0, 'batch_of_the_four': 1}.get(case['name'])
        if tie is not None:
            expected[-1, tie] = got[-1, tie]
        assert torch.allclose(got, expected, rtol=1e-5, atol=1e-5), case['name']
