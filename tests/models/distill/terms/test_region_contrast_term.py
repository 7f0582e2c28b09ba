from dataclasses import replace

import pytest
import torch

from mmduet.models.distill import QueryAnchor, RegionAnchor, RegionContrastTerm
from mmduet.models.distill.terms.sampling import what_to_sample
from mmduet.models.losses.region_contrastive_loss import region_contrastive_loss
from mmduet.models.task_modules import LocationSampler, RandomSampler, SemanticsSampler, SLASampler
from mmduet.structures import TeacherTargets
from tests.distill_batch import make_batch, make_features, make_space, make_targets

# (24, 5, 36, 15) of the image on the canvas.
OTHER = torch.tensor([30.0 * 1.6, 8 + 10 * 1.6, 12 * 1.6, 10 * 1.6]) / 64


def draw(term, targets, batch, step, predicted=None):
    return term.sampler.sample(**what_to_sample(term.sampler, targets, batch, step, predicted))


def build(**settings):
    return RegionContrastTerm(make_space(), **settings)


@pytest.mark.parametrize(('kind', 'required'), [(SLASampler, {'similarity'}), (SemanticsSampler, {'similarity'}),
                                                (RandomSampler, set()), (LocationSampler, set())])
def test_the_teacher_is_asked_for_what_the_sampler_reads(kind, required):
    assert build(sampler=dict(type=kind)).required_targets == required


@pytest.mark.parametrize('anchor', [QueryAnchor, RegionAnchor])
def test_it_is_the_weighted_contrast_of_the_regions_it_draws(anchor):
    term, features, targets, batch = build(anchor=dict(type=anchor), weight=2.0, temperature=0.3), make_features(), \
        make_targets(), make_batch()
    regions = draw(term, targets, batch, 5, features.boxes[-1].detach())
    expected = 2 * region_contrastive_loss(
        term.anchor(features, term.projector), term.projector.embed(features, regions.positives), regions.positive_weight,
        term.projector.embed(features, regions.negatives), regions.negative_valid, 0.3)
    torch.testing.assert_close(term(features, targets, batch, 5), expected)
    term(features, targets, batch, 5).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in term.parameters())
    assert features.visual.grad is None and features.fused.grad.abs().sum() > 0


def test_a_student_without_a_fused_map_is_contrasted_by_its_visual_one():
    features = replace(make_features(), fused=None)
    build()(features, make_targets(), make_batch(), 0).backward()
    assert features.visual.grad.abs().sum() > 0


def test_draws_differ_from_step_to_step():
    term = build()
    values = {term(make_features(), make_targets(), make_batch(), step).item() for step in (0, 1, 2)}
    assert len(values) == 3


def test_semantics_of_a_candidate_are_read_from_the_teachers_similarity_over_the_image():
    # The left third of the image reads like the words, the rest is opposite; the target lies left above.
    targets = TeacherTargets(similarity=torch.tensor([1.0, -1.0, -1.0]).expand(1, 3, 3))
    term = build(sampler=dict(type=SLASampler, negatives=1, temperature=1e-3))
    regions = draw(term, targets, make_batch(1, box=(2.0, 2.0, 8.0, 8.0)), 0)
    assert regions.negatives[0, 0, 0] < 1 / 3


def test_other_annotated_boxes_may_be_drawn_and_their_number_may_differ():
    term = build(sampler=dict(type=RandomSampler, candidates=dict(jitters=0, near_misses=0, beside=0)))
    regions = draw(term, TeacherTargets(), make_batch(3, others=True), 0)
    assert regions.negative_valid.sum(1).tolist() == [0, 1, 2]
    torch.testing.assert_close(regions.negatives[1][regions.negative_valid[1]], OTHER[None])


def test_an_object_that_is_no_other_of_an_expression_is_not_drawn_for_it():
    batch = make_batch(2, others=True)
    batch = replace(batch, has_other=torch.zeros_like(batch.has_other))
    term = build(sampler=dict(type=RandomSampler, candidates=dict(jitters=0, near_misses=0, beside=0)))
    assert not draw(term, TeacherTargets(), batch, 0).negative_valid.any()


def test_a_teacher_that_gives_no_similarity_is_told_so():
    with pytest.raises(ValueError, match='the teacher gave no similarity'):
        build()(make_features(), TeacherTargets(text=make_targets().text), make_batch(), 0)


def test_parts_are_built_from_strings_and_wrong_numbers_are_refused():
    term = build(anchor=dict(type='mmduet.RegionAnchor'), sampler=dict(type='mmduet.LocationSampler', seed=3), gather=True)
    assert isinstance(term.anchor, RegionAnchor) and isinstance(term.sampler, LocationSampler) and term.sampler.seed == 3
    assert term.loss.gather and term.gathers
    with pytest.raises(ValueError, match='temperature must be positive'):
        build(temperature=0.0)
