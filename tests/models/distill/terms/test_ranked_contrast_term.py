import math

import pytest
import torch

from mmduet.models.distill import RankedContrastTerm
from mmduet.models.distill.terms.sampling import what_to_sample
from mmduet.models.task_modules import LocationSampler, SLASampler
from mmduet.structures import TeacherTargets, from_content
from tests.distill_batch import make_batch, make_features, make_space, make_targets


def build(**settings):
    torch.manual_seed(0)
    return RankedContrastTerm(make_space(), **settings)


@pytest.mark.parametrize(('kind', 'required'), [(SLASampler, {'similarity'}), (LocationSampler, set())])
def test_the_teacher_is_asked_for_what_the_sampler_reads(kind, required):
    assert build(sampler=dict(type=kind)).required_targets == required


@pytest.mark.parametrize('kind', [SLASampler, LocationSampler])
def test_the_anchor_ranks_all_candidates_by_location_and_semantics(kind):
    term = build(sampler=dict(type=kind, seed=4), weight=2.0, temperature=0.3, location_temperature=0.2, semantics_weight=0.7)
    features, targets, batch = make_features(3), make_targets(3), make_batch(3, others=True)
    found, _ = term.sampler.propose(**what_to_sample(term.sampler, targets, batch, 5, features.boxes[-1].detach()))
    boxes = from_content(found.boxes, batch.content, batch.size)
    expected = 0.0
    for row in range(3):
        kept = [k for k in range(boxes.shape[1]) if found.exists[row, k]]
        label = torch.tensor([found.location[row, k] / 0.2 for k in kept])
        if kind is SLASampler:
            label += torch.tensor([0.7 * math.log(max(found.semantics[row, k].item(), 0.01))
                                   if found.location[row, k] >= 0.3 else 0.0 for k in kept])
        share = label.softmax(dim=0)
        embedded = term.regions(features.answer_map, boxes)[row, kept]
        chosen = (embedded @ term.anchors(features)[row] / 0.3).log_softmax(dim=0)
        expected = expected + (share * (share.log() - chosen)).sum() / 3
    loss = term(features, targets, batch, 5)
    torch.testing.assert_close(loss, 2 * expected, rtol=1e-4, atol=1e-5)
    loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in term.parameters())
    assert features.visual.grad is None and features.boxes.grad is None and features.fused.grad.abs().sum() > 0


def test_draws_differ_from_step_to_step_and_not_by_row():
    term, features, targets, batch = build(), make_features(2), make_targets(2), make_batch(2)
    assert len({term(features, targets, batch, step).item() for step in (0, 1, 2)}) == 3


def test_numbers_out_of_range_and_missing_targets_are_refused():
    for settings in (dict(temperature=0.0), dict(location_temperature=0.0), dict(semantics_weight=-1.0)):
        with pytest.raises(ValueError, match='temperatures must be positive and semantics_weight must not be negative'):
            build(**settings)
    with pytest.raises(ValueError, match='the teacher gave no similarity'):
        build()(make_features(), TeacherTargets(text=make_targets().text), make_batch(), 0)
