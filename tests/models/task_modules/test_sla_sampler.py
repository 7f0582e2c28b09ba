import pytest
import torch

from mmduet.models.task_modules import DistractorSampler, LocationSampler, RandomSampler, SemanticsSampler, SLASampler
from mmduet.structures.boxes import iou_cxcywh

LOCATION, SEMANTICS = torch.tensor([[0.8, 0.2, 0.1]]), torch.tensor([[0.5, 0.9, 0.4]])
TARGET = torch.tensor([[0.5, 0.5, 0.2, 0.2]])
ANNOTATED = torch.tensor([False, True, False])
CONTENT = torch.tensor([[0, 0, 100, 100]])


def tolists(pair):
    return [pytest.approx(value[0].tolist()) for value in pair]


def test_scores_are_those_of_the_method():
    assert tolists(SLASampler().scores(LOCATION, SEMANTICS, ANNOTATED)) == [[0.4, 0.18, 0.04], [0.74, 0.06, 0.43]]
    assert tolists(RandomSampler().scores(LOCATION, None, ANNOTATED)) == [[1, 1, 1], [1, 1, 1]]
    assert tolists(LocationSampler().scores(LOCATION, None, ANNOTATED)) == [[0.8, 0.2, 0.1], [0.8, 0.2, 0.1]]
    assert tolists(SemanticsSampler().scores(LOCATION, SEMANTICS, ANNOTATED)) == [[0.5, 0.9, 0.4], [0.5, 0, 0.4]]


def test_only_those_that_score_semantics_ask_for_them():
    assert [sampler.reads_semantics for sampler in (SLASampler, SemanticsSampler, RandomSampler, LocationSampler)] == [
        True, True, False, False]
    for sampler in (SLASampler(), SemanticsSampler()):
        with pytest.raises(ValueError, match='was given none'):
            sampler.scores(LOCATION, None, ANNOTATED)


def negatives_of(sampler, steps=60):
    def right_reads_like_the_words(boxes):
        return 0.4 + 0.5 * (boxes[..., 0] >= 0.5)

    drawn = [sampler.sample(TARGET, CONTENT, 100, step, ['a'], right_reads_like_the_words) for step in range(steps)]
    return torch.cat([regions.negatives[regions.negative_valid] for regions in drawn])


def test_semantics_draw_what_reads_like_the_words_and_location_draws_near_misses():
    share = {type(sampler): (negatives_of(sampler)[:, 0] > 0.5).float().mean() for sampler in (
        SLASampler(), SemanticsSampler(), RandomSampler(), LocationSampler())}
    assert share[SLASampler] > 0.9 and share[SemanticsSampler] > 0.9
    assert 0.4 < share[RandomSampler] < 0.6 and 0.4 < share[LocationSampler] < 0.6
    overlap = {kind: iou_cxcywh(negatives_of(kind()), TARGET).mean()
               for kind in (SLASampler, SemanticsSampler, RandomSampler, LocationSampler)}
    assert overlap[LocationSampler] > 2 * overlap[RandomSampler]
    assert overlap[SLASampler] > overlap[SemanticsSampler]


def test_a_high_temperature_draws_as_at_random():
    assert abs((negatives_of(SLASampler(temperature=100.0))[:, 0] > 0.5).float().mean() - 0.5) < 0.1


def test_annotated_objects_are_drawn_before_all_else_and_the_rest_at_random():
    sampler = DistractorSampler(negatives=4)
    others = torch.tensor([[[0.2, 0.2, 0.1, 0.1], [0.8, 0.3, 0.2, 0.1], [0.0, 0.0, 0.0, 0.0]]])
    rest = []
    for step in range(100):
        regions = sampler.sample(TARGET, CONTENT, 100, step, ['a'], others=others)
        drawn = regions.negatives[0]
        found = (drawn[:, None] - others[0, :2]).abs().amax(dim=-1) < 1e-6
        assert found.any(dim=0).tolist() == [True, True] and regions.negative_valid.all()
        rest.append(drawn[~found.any(dim=1)])
    assert 0.4 < (torch.cat(rest)[:, 0] > 0.5).float().mean() < 0.6


def test_without_annotated_objects_its_draws_are_those_of_the_random_sampler():
    for step in range(5):
        ours, random = (kind(seed=3).sample(TARGET, CONTENT, 100, step, ['a']) for kind in (DistractorSampler, RandomSampler))
        assert torch.equal(ours.negatives, random.negatives) and torch.equal(ours.positives, random.positives)
