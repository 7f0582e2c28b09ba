import pytest
import torch
import torch.nn.functional as F

from mmduet.models.losses.semantic_losses import (
    accumulated_relation_loss,
    cosine_distance,
    distance_to_uniform,
    relation_logits,
    relation_loss,
)

NONE_SAME = torch.zeros(2, 2, dtype=torch.bool)


def unit(*shape, seed=0, dtype=torch.float32):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype), dim=-1)


def test_cosine_distance_of_a_right_angle_an_opposite_and_an_equal():
    student = torch.tensor([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    teacher = torch.tensor([[0.0, 1.0], [0.0, -1.0], [1.0, 1.0]])
    assert cosine_distance(student, teacher) == pytest.approx((1 + 2 + 0) / 3, abs=1e-6)


def test_relation_of_swapped_regions_has_the_value_worked_out_by_hand():
    # Teacher rows softmax(1, 0) = (p, 1 - p) with p = e / (1 + e), student rows swapped: KL = (2 p - 1) log(p / (1 - p)).
    eye = torch.eye(2)
    assert relation_loss((eye, eye.flip(0)), (eye, eye), 1.0, 1.0, NONE_SAME) == pytest.approx(0.462117, abs=1e-6)


def test_relation_is_zero_where_the_student_has_the_teachers_similarities_in_another_space():
    text, region = unit(5, 8), unit(5, 8, seed=1)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(2)))[0]
    same = torch.zeros(5, 5, dtype=torch.bool)
    assert relation_loss((text @ rotation, region @ rotation), (text, region), 0.1, 10.0, same) == pytest.approx(0, abs=1e-5)


def test_relation_to_a_teacher_that_is_certain_is_the_contrastive_loss_of_clip():
    text, region, eye = unit(4, 8), unit(4, 8, seed=1), torch.eye(4)
    logits, labels = text @ region.T / 0.01, torch.arange(4)
    expected = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
    same = torch.zeros(4, 4, dtype=torch.bool)
    assert relation_loss((text, region), (eye, eye), 0.01, 100.0, same) == pytest.approx(expected.item(), rel=1e-5)


def test_relation_leaves_out_pairs_of_the_same_target_but_keeps_the_diagonal():
    text, region = unit(3, 4), unit(3, 4, seed=1)
    teacher = (unit(3, 6, seed=2), unit(3, 6, seed=3))
    everything_same = torch.ones(3, 3, dtype=torch.bool)
    assert relation_loss((text, region), teacher, 0.1, 10.0, everything_same) == 0


def test_an_excluded_pair_does_not_change_the_relation_however_it_looks():
    # Text 0 lies on axes that only region 1 shares with it, so the pair (0, 1) can be changed alone.
    region, same = torch.eye(4)[:3], torch.zeros(3, 3, dtype=torch.bool)
    same[0, 1] = same[1, 0] = True
    text = unit(3, 4)
    changed = text.clone()
    changed[0, 1] += 0.5
    teacher = (unit(3, 6, seed=2), unit(3, 6, seed=3))
    before = relation_loss((text, region), teacher, 0.1, 10.0, same)
    assert relation_loss((changed, region), teacher, 0.1, 10.0, same) == pytest.approx(before.item(), rel=1e-6)
    assert relation_loss((changed, region), teacher, 0.1, 10.0, same & False) != pytest.approx(before.item(), rel=1e-2)


def test_relation_of_a_single_expression_is_zero_with_a_zero_gradient():
    text = unit(1, 4).requires_grad_()
    teacher = unit(1, 6), unit(1, 6, seed=1)
    value = relation_loss((text, unit(1, 4, seed=1)), teacher, 0.1, 10.0, torch.zeros(1, 1, dtype=torch.bool))
    value.backward()
    assert value == 0 and torch.equal(text.grad, torch.zeros(1, 4))


def test_gradients_are_right_in_double_precision():
    student = unit(3, 5, dtype=torch.float64).requires_grad_(), unit(3, 5, seed=1, dtype=torch.float64).requires_grad_()
    teacher = unit(3, 7, seed=2, dtype=torch.float64), unit(3, 7, seed=3, dtype=torch.float64)
    same = torch.zeros(3, 3, dtype=torch.bool)
    same[0, 2] = same[2, 0] = True
    assert torch.autograd.gradcheck(lambda a, b: relation_loss((a, b), teacher, 0.1, 10.0, same), student)
    assert torch.autograd.gradcheck(lambda a: cosine_distance(a, unit(3, 5, seed=4, dtype=torch.float64)), student[:1])


def test_a_clip_like_openais_says_at_least_two_nats_by_its_own_scale_and_nothing_by_ten():
    cosines = 0.19 + 0.09 * torch.eye(64) + 0.03 * torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    none = torch.zeros(64, 64, dtype=torch.bool)
    own, fixed = (relation_logits(cosines, torch.eye(64), scale, none) for scale in (100.0, 10.0))
    assert distance_to_uniform(own) > 2 and distance_to_uniform(own.T) > 2
    assert distance_to_uniform(fixed) < 0.1


def test_distance_to_uniform_counts_only_what_is_not_excluded():
    same = torch.tensor([[False, True, False]] + [[False] * 3] * 2)
    logits = relation_logits(torch.zeros(3, 2), unit(3, 2), 1.0, same)
    assert distance_to_uniform(logits) == pytest.approx(0, abs=1e-6)


def test_student_and_teacher_are_scaled_apart():
    student, teacher = (unit(4, 8), unit(4, 8, seed=1)), (unit(4, 6, seed=2), unit(4, 6, seed=3))
    same = torch.zeros(4, 4, dtype=torch.bool)
    target = (teacher[0] @ teacher[1].T * 30).softmax(dim=1)
    expected = (target * (target.log() - (student[0] @ student[1].T / 0.2).log_softmax(dim=1))).sum(dim=1).mean()
    column = (teacher[1] @ teacher[0].T * 30).softmax(dim=1)
    expected += (column * (column.log() - (student[1] @ student[0].T / 0.2).log_softmax(dim=1))).sum(dim=1).mean()
    assert relation_loss(student, teacher, 0.2, torch.tensor(30.0), same) == pytest.approx(expected.item() / 2, rel=1e-5)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_is_finite(dtype):
    values = [unit(4, 8, seed=seed).to(dtype) for seed in range(4)]
    assert torch.isfinite(cosine_distance(values[0], values[1]))
    same = torch.eye(4, dtype=torch.bool)
    assert torch.isfinite(relation_loss((values[0], values[1]), (values[2], values[3]), 0.01, 100.0, same))


def test_wrong_shapes_and_temperatures_are_refused():
    with pytest.raises(ValueError, match=r'\(3, 4\) and \(2, 4\)'):
        cosine_distance(unit(3, 4), unit(2, 4))
    with pytest.raises(ValueError, match='must be'):
        relation_loss((unit(2, 4), unit(3, 4)), (unit(2, 4), unit(2, 4)), 0.1, 10.0, NONE_SAME)
    with pytest.raises(ValueError, match='temperature'):
        relation_loss((unit(2, 4), unit(2, 4)), (unit(2, 4), unit(2, 4)), 0.0, 1.0, NONE_SAME)


def test_the_relation_to_rows_seen_before_has_the_gradient_of_the_relation_where_there_are_none():
    student = [unit(5, 8, seed=seed).requires_grad_() for seed in (0, 1)]
    teacher, same = (unit(5, 6, seed=2), unit(5, 6, seed=3)), torch.eye(5, dtype=torch.bool)
    same[0, 3] = same[3, 0] = True
    whole, accumulated = (function((student[0], student[1]), teacher, 0.3, 7.0, same, *rows) for function, rows in (
        (relation_loss, ()), (accumulated_relation_loss, (5, ))))
    torch.testing.assert_close(accumulated, whole)
    for given, expected in zip(*(torch.autograd.grad(loss, student) for loss in (accumulated, whole)), strict=True):
        torch.testing.assert_close(given, expected)


def test_new_rows_that_relate_as_the_teacher_says_stay():
    pair = tuple(unit(5, 8, seed=seed).requires_grad_() for seed in (0, 1))
    loss = accumulated_relation_loss(pair, (pair[0].detach(), pair[1].detach()), 0.1, 10.0, torch.eye(5, dtype=torch.bool), 2)
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert all(gradient.abs().max() < 1e-6 for gradient in torch.autograd.grad(loss, pair))
