import copy
import pickle
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from mmduet.models.task_modules import CandidateBoxes, LocationSampler, RandomSampler, RegionSampler, SLASampler, lies_beside
from mmduet.registry import TASK_UTILS
from mmduet.structures.boxes import cxcywh_to_xyxy, iou_cxcywh

SIZE = 64
BOXES = torch.tensor([[0.4, 0.5, 0.2, 0.3], [0.6, 0.4, 0.25, 0.2]])
CONTENT = torch.tensor([[0, 8, 64, 56], [16, 0, 48, 64]])


def left_reads_best(candidates):
    return (1 - candidates[..., 0]).clamp(0, 1)


def draw(sampler, step=7, **changes):
    arguments = dict(boxes=BOXES, content=CONTENT, size=SIZE, step=step, keys=['a', 'b'], semantics=left_reads_best)
    return sampler.sample(**{**arguments, **changes})


def test_seeded_regions_are_these():
    regions = draw(SLASampler(positives=2, negatives=3, seed=5))
    expected = torch.tensor([[0.4, 0.5, 0.2, 0.3], [0.3853, 0.4920, 0.2383, 0.2933]])
    torch.testing.assert_close(regions.positives[0], expected, atol=1e-4, rtol=0)
    expected = torch.tensor([[0.5480, 0.4520], [0.4500, 0.5500]])
    torch.testing.assert_close(regions.positive_weight, expected, atol=1e-4, rtol=0)
    expected = torch.tensor([[0.5414, 0.3500, 0.1505, 0.4500], [0.4315, 0.3256, 0.3143, 0.3129],
                             [0.5504, 0.3508, 0.1623, 0.2489]])
    torch.testing.assert_close(regions.negatives[0], expected, atol=1e-4, rtol=0)


def test_a_draw_depends_on_seed_step_and_expression_alone():
    first = draw(SLASampler())
    torch.manual_seed(123)
    sampler = SLASampler()
    draw(sampler, step=3)
    assert torch.equal(draw(sampler).negatives, first.negatives)
    assert torch.equal(draw(pickle.loads(pickle.dumps(copy.deepcopy(sampler)))).negatives, first.negatives)
    others = [draw(SLASampler(), step=8), draw(SLASampler(seed=1)), draw(SLASampler(), keys=['a2', 'b2'])]
    assert not any(torch.equal(other.negatives[row], first.negatives[row]) for other in others for row in (0, 1))


def test_the_rows_of_a_draw_are_the_same_alone_in_another_order_and_beside_more_objects():
    first = draw(SLASampler())
    second = draw(SLASampler(), boxes=BOXES.flip(0), content=CONTENT.flip(0), keys=['b', 'a'])
    torch.testing.assert_close(second.negatives.flip(0), first.negatives)
    alone = draw(SLASampler(), boxes=BOXES[1:], content=CONTENT[1:], keys=['b'])
    torch.testing.assert_close(alone.negatives[0], first.negatives[1])
    # Filling for another row's objects is no candidate, and draws nothing.
    filled = draw(SLASampler(), others=torch.zeros(2, 3, 4))
    torch.testing.assert_close(filled.negatives, first.negatives)
    torch.testing.assert_close(filled.positives, first.positives)


def test_the_random_state_of_pytorch_is_left_alone():
    before = torch.random.get_rng_state()
    draw(SLASampler())
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize('sampler', [SLASampler(), RandomSampler(), LocationSampler()])
def test_regions_are_of_their_class_inside_the_image_and_drawn_once(sampler):
    for step in range(20):
        regions = draw(sampler, step)
        overlap = iou_cxcywh(regions.positives, BOXES[:, None])
        assert overlap[regions.positive_weight > 0].min() >= 0.6 - 1e-5
        assert iou_cxcywh(regions.negatives, BOXES[:, None])[regions.negative_valid].max() < 0.4 + 1e-5
        assert lies_beside(regions.negatives, BOXES[:, None])[regions.negative_valid].all()
        torch.testing.assert_close(regions.positive_weight.sum(1), torch.ones(2))
        corners = cxcywh_to_xyxy(regions.negatives) * SIZE
        assert (corners[:, :, :2] >= CONTENT[:, None, :2] - 1e-3).all()
        assert (corners[:, :, 2:] <= CONTENT[:, None, 2:] + 1e-3).all()
        assert all(len(boxes.unique(dim=0)) == 8 for boxes in regions.negatives)


def test_an_image_without_a_negative_has_none_and_still_has_positives():
    sampler = SLASampler(candidates=dict(near_misses=0, beside=0))
    regions = draw(sampler, boxes=torch.tensor([[0.5, 0.5, 1.0, 0.75], [0.5, 0.5, 0.5, 1.0]]))
    assert not regions.negative_valid.any() and regions.negatives.shape == (2, 8, 4)
    torch.testing.assert_close(regions.positive_weight.sum(1), torch.ones(2))


def test_a_target_without_area_has_no_positive_and_no_nan():
    regions = draw(SLASampler(), boxes=torch.tensor([[0.4, 0.5, 0.0, 0.3], [0.6, 0.4, 0.25, 0.2]]))
    assert regions.positive_weight[0].tolist() == [0, 0, 0, 0] and regions.positive_weight[1].sum() == pytest.approx(1)
    assert all(torch.isfinite(value).all() for value in (regions.positives, regions.negatives))


def test_fewer_candidates_than_asked_for_leave_slots_that_hold_none():
    few = draw(SLASampler(candidates=CandidateBoxes(jitters=1, near_misses=0, beside=0, predicted=0)))
    assert few.positives.shape == (2, 4, 4) and few.negatives.shape == (2, 8, 4)
    assert (few.positive_weight > 0).sum(dim=1).max() <= 2 and not few.negative_valid.any()
    torch.testing.assert_close(few.positive_weight.sum(dim=1), torch.ones(2))


def test_other_objects_are_candidates_cut_at_the_image_and_filling_is_not():
    sampler = SLASampler(candidates=dict(jitters=0, near_misses=0, beside=0))
    others = torch.tensor([[[0.8, 0.5, 0.2, 0.2], [0.0, 0.0, 0.0, 0.0]], [[0.3, 0.5, 0.3, 0.2], [0.9, 0.5, 0.1, 0.1]]])
    regions = draw(sampler, others=others)
    assert [boxes[valid].tolist() for boxes, valid in zip(regions.negatives, regions.negative_valid, strict=True)] == [
        [pytest.approx([0.8, 0.5, 0.2, 0.2])], [pytest.approx([0.35, 0.5, 0.2, 0.2])]]


def test_semantics_are_asked_in_the_frame_of_the_image():
    seen = []
    draw(SLASampler(candidates=dict(jitters=0, near_misses=0, beside=0)),
         semantics=lambda boxes: seen.append(boxes) or boxes[..., 0])
    torch.testing.assert_close(seen[0][:, 0], torch.tensor([[0.4, 0.5, 0.2, 0.4], [0.7, 0.4, 0.5, 0.2]]))


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match='was given none'):
        draw(SLASampler(), semantics=None)
    with pytest.raises(ValueError, match='at least one positive'):
        SLASampler(negatives=0)
    with pytest.raises(ValueError, match='negative_iou'):
        SLASampler(positive_iou=0.3)
    with pytest.raises(ValueError, match='temperature'):
        SLASampler(temperature=0.0)


def test_samplers_are_built_from_configs():
    sampler = TASK_UTILS.build(dict(type='mmduet.SLASampler', candidates=dict(beside=4), negatives=2, location_share=0.5))
    assert (sampler.candidates.count(False), sampler.negatives, sampler.location_share) == (20, 2, 0.5)


def test_semantics_of_little_spread_draw_like_those_of_a_wide_one():
    def narrow(candidates):
        return 0.6 + 0.05 * left_reads_best(candidates)

    wide, other = (draw(SLASampler(), semantics=read) for read in (left_reads_best, narrow))
    torch.testing.assert_close(other.negatives, wide.negatives)
    torch.testing.assert_close(other.positive_weight, wide.positive_weight, atol=1e-4, rtol=0)


def test_filling_has_no_say_in_the_spread_of_the_semantics():
    filling = torch.zeros(2, 1, 4)

    def low_where_nothing_is(candidates):
        return torch.where(candidates[..., 2] > 0, left_reads_best(candidates), -1.0)

    scores = []

    class Watched(SLASampler):
        def scores(self, location, semantics, annotated):
            scores.append(semantics)
            return super().scores(location, semantics, annotated)

    draw(Watched(), semantics=low_where_nothing_is, others=filling)
    assert scores[0][:, :-1].amin(dim=1).tolist() == [0, 0] and scores[0].amax(dim=1).tolist() == [1, 1]


def test_semantics_that_are_all_equal_leave_the_location():
    regions = draw(SLASampler(), semantics=lambda candidates: torch.full(candidates.shape[:2], 0.5))
    assert torch.isfinite(regions.positive_weight).all()
    torch.testing.assert_close(regions.positive_weight.sum(dim=1), torch.ones(2))


@pytest.mark.parametrize(('box', 'beside'), [
    ([0.5, 0.5, 0.1, 0.1], False),    # a part of the target
    ([0.5, 0.5, 1.0, 0.2], False),    # a strip through it: less than half in it, but centred
    ([0.65, 0.5, 0.3, 0.4], False),   # holds three quarters of it
    ([0.59, 0.5, 0.2, 0.2], False),   # more than half of it inside
    ([0.64, 0.5, 0.16, 0.2], True),
    ([0.9, 0.9, 0.1, 0.1], True)])
def test_what_shows_a_part_of_the_target_or_what_surrounds_it_does_not_lie_beside_it(box, beside):
    assert lies_beside(torch.tensor([[box]]), torch.tensor([[[0.5, 0.5, 0.2, 0.2]]])).item() is beside


def test_boxes_around_the_prediction_are_candidates_where_it_is_given():
    sampler = SLASampler(candidates=dict(jitters=0, near_misses=0, beside=0, predicted=50), negatives=50)
    assert not draw(sampler).negative_valid.any()
    own = torch.tensor([[0.8, 0.5, 0.1, 0.2], [0.6, 0.4, 0.25, 0.2]])
    regions = draw(sampler, predicted=own)
    assert regions.negative_valid[0].all()
    assert (iou_cxcywh(regions.negatives[0], own[:1]) > 0.1).float().mean() > 0.9


def test_all_candidates_may_be_taken_with_what_is_known_of_them():
    others = torch.tensor([[[0.8, 0.5, 0.2, 0.2]], [[0.0, 0.0, 0.0, 0.0]]])
    found, gumbel = SLASampler(candidates=dict(beside=3)).propose(BOXES, CONTENT, SIZE, 0, ['a', 'b'], left_reads_best, others)
    assert found.boxes.shape == (2, 1 + 8 + 8 + 3 + 1, 4) and gumbel.shape == (2, 2, 21)
    assert found.location[:, 0].tolist() == pytest.approx([1, 1]) and not found.negative[:, 0].any()
    assert found.annotated.tolist() == [False] * 20 + [True] and found.exists[:, -1].tolist() == [True, False]
    assert found.semantics.aminmax().min == 0 and found.semantics.aminmax().max == 1


@dataclass(kw_only=True)
class OwnSampler(RegionSampler):
    """A sampler of a user, whose scores a test gives."""

    answer: object = None
    reads_semantics: ClassVar[bool] = False

    def scores(self, location, semantics, annotated):
        return self.answer(location)


@pytest.mark.parametrize(('answer', 'got'), [
    (lambda location: location, 'Tensor'), (lambda location: (location, ) * 3, r'\[\(2, 57\), \(2, 57\), \(2, 57\)\]'),
    (lambda location: (location, location[0]), r'\[\(2, 57\), \(57,\)\]'), (lambda location: None, 'NoneType'),
    (lambda location: (location, 1.0), r"\[\(2, 57\), 'float'\]")])
def test_scores_of_another_shape_are_refused(answer, got):
    sampler = OwnSampler(answer=answer, candidates=dict(jitters=8, near_misses=8, beside=40))
    with pytest.raises(ValueError, match=rf'^OwnSampler\.scores must return two tensors \(B, K\) = \(2, 57\), .* got {got}$'):
        draw(sampler)


@pytest.mark.parametrize('as_positive', [True, False])
def test_a_score_of_nan_spoils_the_expression_that_it_is_of_and_no_other(as_positive):
    def answer(location):
        spoilt = location.clone()
        spoilt[0] = torch.nan
        return (spoilt, location) if as_positive else (location, spoilt)

    weight = draw(OwnSampler(answer=answer)).positive_weight
    assert weight.isnan().all(dim=1).tolist() == [True, False]
    assert weight[1].sum().item() == pytest.approx(1)


def test_a_nan_of_what_is_not_in_its_class_spoils_nothing():
    def answer(location):
        return torch.where(location >= 0.6, location, torch.nan), torch.where(location < 0.4, location, torch.nan)

    assert not draw(OwnSampler(answer=answer)).positive_weight.isnan().any()
