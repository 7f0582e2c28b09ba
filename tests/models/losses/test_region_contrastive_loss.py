import pytest
import torch
import torch.nn.functional as F

from mmduet.models.losses import RegionContrastiveLoss
from mmduet.models.losses.region_contrastive_loss import region_contrastive_loss
from mmduet.structures import Regions

X, Y = [1.0, 0.0], [0.0, 1.0]


def unit(*shape, seed=0, dtype=torch.float32):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype), dim=-1)


def all_valid(*shape):
    return torch.ones(*shape, dtype=torch.bool)


def test_two_weighted_positives_have_the_value_worked_out_by_hand():
    # 0.25 log(1 + exp(0 - 1)) + 0.75 log(1 + exp(0 - 0))
    loss = region_contrastive_loss(torch.tensor([X]), torch.tensor([[X, Y]]), torch.tensor([[0.25, 0.75]]), torch.tensor([[Y]]),
                                   all_valid(1, 1), temperature=1.0)
    assert loss == pytest.approx(0.598175, abs=1e-6)


def test_with_one_positive_it_is_the_cross_entropy_of_the_positive():
    anchors, positives, negatives = unit(3, 8), unit(3, 1, 8, seed=1), unit(3, 5, 8, seed=2)
    logits = torch.einsum('bd,bkd->bk', anchors, torch.cat([positives, negatives], 1)) / 0.1
    expected = F.cross_entropy(logits, torch.zeros(3, dtype=torch.long))
    loss = region_contrastive_loss(anchors, positives, torch.ones(3, 1), negatives, all_valid(3, 5), 0.1)
    assert loss == pytest.approx(expected.item(), rel=1e-5)


def test_an_anchor_on_its_positives_and_opposite_to_its_negatives_costs_nothing():
    loss = region_contrastive_loss(torch.tensor([X]), torch.tensor([[X, X]]), torch.full((1, 2), 0.5),
                                   -torch.tensor([[X, X, X]]), all_valid(1, 3), 0.1)
    assert loss == pytest.approx(0, abs=1e-7)


def test_an_image_without_a_valid_negative_or_without_a_positive_contributes_nothing_and_no_nan():
    anchors = unit(3, 8).requires_grad_()
    weight = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.0, 0.0]])
    valid = torch.tensor([[True] * 4, [False] * 4, [True] * 4])
    positives, negatives = unit(3, 2, 8, seed=1), unit(3, 4, 8, seed=2)
    loss = region_contrastive_loss(anchors, positives, weight, negatives, valid, 0.1)
    loss.backward()
    alone = region_contrastive_loss(anchors[:1], positives[:1], weight[:1], negatives[:1], valid[:1], 0.1)
    assert loss.item() == pytest.approx(alone.item() / 3, rel=1e-6)
    assert torch.equal(anchors.grad[1:], torch.zeros(2, 8)) and anchors.grad[0].abs().sum() > 0


def test_without_any_negative_slot_it_is_zero_with_a_gradient():
    positives = unit(2, 3, 4).requires_grad_()
    loss = region_contrastive_loss(unit(2, 4), positives, torch.ones(2, 3) / 3, torch.zeros(2, 0, 4), all_valid(2, 0), 0.1)
    loss.backward()
    assert loss == 0 and torch.equal(positives.grad, torch.zeros(2, 3, 4))


def test_an_invalid_negative_changes_nothing():
    anchors, positives, negatives = unit(2, 8), unit(2, 2, 8, seed=1), unit(2, 3, 8, seed=2)
    weight, valid = torch.full((2, 2), 0.5), torch.tensor([[True, True, False]] * 2)
    fewer = region_contrastive_loss(anchors, positives, weight, negatives[:, :2], all_valid(2, 2), 0.1)
    assert region_contrastive_loss(anchors, positives, weight, negatives, valid, 0.1) == pytest.approx(fewer.item(), rel=1e-6)


def test_cross_image_negatives_count_as_if_they_were_everyones_own():
    anchors, positives, negatives = unit(2, 8), unit(2, 2, 8, seed=1), unit(2, 3, 8, seed=2)
    cross_image, cross_image_valid = unit(4, 8, seed=3), torch.tensor([True, False, True, True]).expand(2, 4)
    weight = torch.full((2, 2), 0.5)
    given = region_contrastive_loss(anchors, positives, weight, negatives, all_valid(2, 3), 0.1, cross_image, cross_image_valid)
    own = torch.cat([negatives, cross_image[cross_image_valid[0]].expand(2, -1, -1)], dim=1)
    expected = region_contrastive_loss(anchors, positives, weight, own, all_valid(2, 6), 0.1)
    assert given == pytest.approx(expected.item(), rel=1e-5)


def test_gradients_are_right_in_double_precision():
    inputs = [unit(*shape, seed=seed, dtype=torch.float64).requires_grad_()
              for seed, shape in enumerate([(2, 4), (2, 2, 4), (2, 3, 4)])]
    weight = torch.tensor([[0.3, 0.7], [1.0, 0.0]], dtype=torch.float64)
    valid = torch.tensor([[True, True, False], [True, True, True]])
    assert torch.autograd.gradcheck(lambda a, p, n: region_contrastive_loss(a, p, weight, n, valid, 0.1), inputs)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_is_finite_at_a_low_temperature(dtype):
    anchors, positives, negatives = (value.to(dtype) for value in (unit(2, 8), unit(2, 2, 8, seed=1), unit(2, 3, 8, seed=2)))
    loss = region_contrastive_loss(anchors, -anchors[:, None] + 0 * positives, torch.full((2, 2), 0.5), negatives,
                                   all_valid(2, 3), 0.005)
    assert torch.isfinite(loss) and loss.dtype == torch.float32 and loss > 100


def test_wrong_shapes_and_numbers_are_refused():
    with pytest.raises(ValueError, match='positives'):
        region_contrastive_loss(unit(2, 4), unit(3, 2, 4), torch.ones(3, 2), unit(2, 3, 4), all_valid(2, 3), 0.1)
    with pytest.raises(ValueError, match='negatives'):
        region_contrastive_loss(unit(2, 4), unit(2, 2, 4), torch.ones(2, 2), unit(2, 3, 4), all_valid(2, 2), 0.1)
    with pytest.raises(ValueError, match='temperature'):
        region_contrastive_loss(unit(2, 4), unit(2, 2, 4), torch.ones(2, 2), unit(2, 3, 4), all_valid(2, 3), 0)
    with pytest.raises(ValueError, match='weight'):
        RegionContrastiveLoss(weight=-0.5)


def test_the_module_weights_the_loss_and_reads_the_regions():
    boxes = torch.full((1, 2, 4), 0.5)
    regions = Regions(positives=boxes, positive_weight=torch.tensor([[0.25, 0.75]]), negatives=boxes[:, :1],
                      negative_valid=all_valid(1, 1))
    loss = RegionContrastiveLoss(weight=2.0, temperature=1.0, gather=True)
    value = loss(torch.tensor([X]), torch.tensor([[X, Y]]), torch.tensor([[Y]]), regions, torch.tensor([7]))
    assert value == pytest.approx(2 * 0.598175, abs=1e-5)


def test_gathered_negatives_of_one_process_are_those_of_other_images():
    anchors, positives, negatives = unit(3, 8), unit(3, 1, 8, seed=1), unit(3, 2, 8, seed=2)
    boxes, ones, valid = torch.full((3, 2, 4), 0.5), torch.ones(3, 1), torch.tensor([[True, True], [True, False], [True, True]])
    regions = Regions(positives=boxes[:, :1], positive_weight=ones, negatives=boxes, negative_valid=valid)
    images = torch.tensor([5, 6, 5])
    given = RegionContrastiveLoss(1.0, 0.5, gather=True)(anchors, positives, negatives, regions, images)
    # Rows 0 and 2 are about one image and do not lend each other negatives.
    lists = [torch.cat([negatives[0], negatives[1, :1]]), torch.cat([negatives[1, :1], negatives[0], negatives[2]]),
             torch.cat([negatives[2], negatives[1, :1]])]
    logits = [torch.cat([positives[k] @ anchors[k], own @ anchors[k]]) / 0.5 for k, own in enumerate(lists)]
    expected = torch.stack([row.logsumexp(0) - row[0] for row in logits]).mean()
    torch.testing.assert_close(given, expected)
