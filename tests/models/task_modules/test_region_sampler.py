import copy
import pickle

import pytest
import torch

from mmduet.models.task_modules import CandidateBoxes, LocationSampler, RandomSampler, SLASampler
from mmduet.registry import TASK_UTILS
from mmduet.structures.boxes import cxcywh_to_xyxy, iou_cxcywh

SIZE = 64
BOXES = torch.tensor([[0.4, 0.5, 0.2, 0.3], [0.6, 0.4, 0.25, 0.2]])
CONTENT = torch.tensor([[0, 8, 64, 56], [16, 0, 48, 64]])


def left_reads_best(candidates):
    return (1 - candidates[..., 0]).clamp(0, 1)


def draw(sampler, step=7, **changes):
    arguments = dict(boxes=BOXES, content=CONTENT, size=SIZE, step=step, semantics=left_reads_best)
    return sampler.sample(**{**arguments, **changes})


def test_seeded_regions_are_these():
    regions = draw(SLASampler(positives=2, negatives=3, seed=5))
    expected = torch.tensor([[0.4, 0.5, 0.2, 0.3], [0.3886, 0.5078, 0.1818, 0.2739]])
    torch.testing.assert_close(regions.positives[0], expected, atol=1e-4, rtol=0)
    expected = torch.tensor([[0.5462, 0.4538], [0.5230, 0.4770]])
    torch.testing.assert_close(regions.positive_weight, expected, atol=1e-4, rtol=0)
    expected = torch.tensor([[0.2409, 0.6680, 0.1954, 0.1681], [0.1706, 0.7368, 0.2122, 0.1328],
                             [0.2441, 0.4399, 0.3656, 0.2323]])
    torch.testing.assert_close(regions.negatives[0], expected, atol=1e-4, rtol=0)


def test_draws_depend_on_seed_step_and_rank_alone(monkeypatch):
    first = draw(SLASampler())
    torch.manual_seed(123)
    sampler = SLASampler()
    draw(sampler, step=3)
    assert torch.equal(draw(sampler).negatives, first.negatives)
    assert torch.equal(draw(pickle.loads(pickle.dumps(copy.deepcopy(sampler)))).negatives, first.negatives)
    others = [draw(SLASampler(), step=8), draw(SLASampler(seed=1))]
    monkeypatch.setattr('mmduet.models.task_modules.region_sampler.get_rank', lambda: 1)
    others.append(draw(SLASampler()))
    assert not any(torch.equal(other.negatives, first.negatives) for other in others)


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
        torch.testing.assert_close(regions.positive_weight.sum(1), torch.ones(2))
        corners = cxcywh_to_xyxy(regions.negatives) * SIZE
        assert (corners[:, :, :2] >= CONTENT[:, None, :2] - 1e-3).all()
        assert (corners[:, :, 2:] <= CONTENT[:, None, 2:] + 1e-3).all()
        assert all(len(boxes.unique(dim=0)) == 8 for boxes in regions.negatives)


def test_an_image_without_a_negative_has_none_and_still_has_positives():
    sampler = SLASampler(candidates=dict(near_misses=0, randoms=0))
    regions = draw(sampler, boxes=torch.tensor([[0.5, 0.5, 1.0, 0.75], [0.5, 0.5, 0.5, 1.0]]))
    assert not regions.negative_valid.any() and regions.negatives.shape == (2, 8, 4)
    torch.testing.assert_close(regions.positive_weight.sum(1), torch.ones(2))


def test_a_target_without_area_has_no_positive_and_no_nan():
    regions = draw(SLASampler(), boxes=torch.tensor([[0.4, 0.5, 0.0, 0.3], [0.6, 0.4, 0.25, 0.2]]))
    assert regions.positive_weight[0].tolist() == [0, 0, 0, 0] and regions.positive_weight[1].sum() == pytest.approx(1)
    assert all(torch.isfinite(value).all() for value in (regions.positives, regions.negatives))


def test_fewer_candidates_than_asked_for_give_fewer_slots():
    regions = draw(SLASampler(candidates=CandidateBoxes(jitters=1, near_misses=0, randoms=0)))
    assert regions.positives.shape == (2, 2, 4) and regions.negatives.shape == (2, 2, 4)


def test_other_objects_are_candidates_cut_at_the_image_and_filling_is_not():
    sampler = SLASampler(candidates=dict(jitters=0, near_misses=0, randoms=0))
    others = torch.tensor([[[0.8, 0.5, 0.2, 0.2], [0.0, 0.0, 0.0, 0.0]], [[0.3, 0.5, 0.3, 0.2], [0.9, 0.5, 0.1, 0.1]]])
    regions = draw(sampler, others=others)
    assert [boxes[valid].tolist() for boxes, valid in zip(regions.negatives, regions.negative_valid, strict=True)] == [
        [pytest.approx([0.8, 0.5, 0.2, 0.2])], [pytest.approx([0.35, 0.5, 0.2, 0.2])]]


def test_semantics_are_asked_in_the_frame_of_the_image():
    seen = []
    draw(SLASampler(candidates=dict(jitters=0, near_misses=0, randoms=0)),
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
    sampler = TASK_UTILS.build(dict(type='mmduet.SLASampler', candidates=dict(randoms=4), negatives=2, location_share=0.5))
    assert (sampler.candidates.count, sampler.negatives, sampler.location_share) == (20, 2, 0.5)


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
