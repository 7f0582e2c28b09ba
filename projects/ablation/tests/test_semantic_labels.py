import pytest
import torch

from mmduet.models.distill import DenseContrastTerm, RankedContrastTerm
from mmduet.models.task_modules import LocationSampler
from mmduet.models.task_modules.region_sampler import Candidates
from mmduet.structures import TeacherTargets
from projects.ablation.semantic_labels import (
    EvenDenseContrastTerm,
    HardContrastTerm,
    ProductContrastTerm,
    SoftmaxDenseContrastTerm,
)
from tests.distill_batch import make_batch, make_features, make_space, make_targets

SEMANTICS = [0.5, 0.25, 0.4, 0.9]


def build(kind, **settings):
    torch.manual_seed(0)
    return kind(make_space(), location_temperature=0.5, **settings)


def make_candidates(semantics=None):
    """The target, a near miss, a box beside it that fits less well, one that fits better, and none."""
    location = torch.tensor([[1.0, 0.75, 0.0, 0.0, 0.0]])
    return Candidates(boxes=torch.full((1, 5, 4), 0.5), exists=torch.tensor([[True] * 4 + [False]]), location=location,
                      negative=location == 0, annotated=torch.zeros(5, dtype=torch.bool),
                      semantics=None if semantics is None else torch.tensor([[*semantics, 1.0]]))


def test_labels_by_product_by_hand():
    label = build(ProductContrastTerm).label(make_candidates(SEMANTICS))
    # In units of the target's 0.5, at most 1; what lies beside has an IoU of 0 whatever it shows.
    expected = (torch.tensor([1.0, 0.75 * 0.5, 0.0, 0.0]) / 0.5).softmax(dim=0)
    torch.testing.assert_close(label[0], torch.cat([expected, torch.zeros(1)]))


def test_without_semantics_labels_are_by_location_alone():
    assert torch.equal(build(ProductContrastTerm).label(make_candidates()), build(RankedContrastTerm).label(make_candidates()))


def test_what_fits_the_expression_elsewhere_counts_more():
    term = build(HardContrastTerm, hardness=9.0)
    torch.testing.assert_close(term.hardnesses(make_candidates(SEMANTICS))[0, :4], torch.tensor([1.0, 1.0, 1 + 9 * 0.4, 1.0]))
    uninformed = build(HardContrastTerm, hardness=9.0, informed=False)
    mean = 1 + 9 * 0.4 / 2
    torch.testing.assert_close(uninformed.hardnesses(make_candidates(SEMANTICS))[0, :4], torch.tensor([1.0, 1.0, mean, mean]))
    with pytest.raises(ValueError, match='take a sampler that reads them'):
        term.hardnesses(make_candidates())


def test_with_no_hardness_it_is_the_contrast_by_location():
    features, targets, batch = make_features(3), make_targets(3), make_batch(3, others=True)
    plain = build(RankedContrastTerm, sampler=dict(type=LocationSampler))(features, targets, batch, 5)
    torch.testing.assert_close(build(HardContrastTerm, hardness=0.0)(features, targets, batch, 5), plain)
    loss = build(HardContrastTerm)(features, targets, batch, 5)
    assert loss.item() != pytest.approx(plain.item(), rel=1e-3)
    loss.backward()
    assert features.query.grad.abs().sum() > 0


def test_the_even_counterpart_spreads_the_same_weight_over_what_lies_outside():
    semantics, outside = torch.tensor([[0.9, 0.2, 0.4, 0.0]]), torch.tensor([[False, True, True, True]])
    even = build_dense(EvenDenseContrastTerm).emphasis(semantics, outside)
    torch.testing.assert_close(even, torch.tensor([[0.0, 0.2, 0.2, 0.2]]))
    informed = build_dense(DenseContrastTerm).emphasis(semantics, outside)
    torch.testing.assert_close(informed, torch.tensor([[0.0, 0.2, 0.4, 0.0]]))
    assert build_dense(EvenDenseContrastTerm).emphasis(semantics, torch.zeros(1, 4, dtype=torch.bool)).tolist() == [[0.0] * 4]


def test_the_even_counterpart_is_another_loss_unless_all_fit_alike():
    features, targets, batch = make_features(3), make_targets(3), make_batch(3)
    losses = [build_dense(kind)(features, targets, batch, 5) for kind in (DenseContrastTerm, EvenDenseContrastTerm)]
    assert losses[0].item() != pytest.approx(losses[1].item(), rel=1e-4)
    kinds = (DenseContrastTerm, EvenDenseContrastTerm)
    assert torch.equal(*(build_dense(kind, semantics_weight=0.0)(features, targets, batch, 5) for kind in kinds))


def weigh(columns, outside, **settings):
    """Weights of the tokens of a 4 x 4 map whose columns have these cosines, for a teacher of logit scale 10."""
    # Many patches to a token, so that nearly all that are pooled are alike.
    similarity = torch.tensor(columns).repeat_interleave(16).expand(1, 64, 64)
    targets = TeacherTargets(similarity=similarity, logit_scale=torch.tensor(10.0))
    mask = torch.tensor([outside]).expand(4, 4).reshape(1, 16)
    batch = make_batch(1, box=(0.0, 0.0, 20.0, 30.0))
    term = build_dense(SoftmaxDenseContrastTerm, **settings)
    return term.weights(targets, batch, mask, torch.Size((4, 4))).reshape(4, 4)


def test_by_softmax_a_token_counts_by_what_the_teacher_takes_it_for():
    weights = weigh([0.9, 0.9, 0.1, 0.3], [False, False, True, True], semantics_weight=0.5)
    shares = torch.tensor([1.0, 3.0]).softmax(dim=0) * 2  # ten times the cosines, in units of the mean
    torch.testing.assert_close(weights, (1 + 0.5 * torch.cat([torch.zeros(2), shares])).expand(4, 4), atol=0.03, rtol=0)
    torch.testing.assert_close(weights[:, 2:].mean(), torch.tensor(1.5))
    # Also where it fits better than the target.
    torch.testing.assert_close(weigh([0.0, 0.0, -0.5, 0.5], [False, False, True, True])[0, 2:], torch.tensor([1.0, 3.0]),
                               atol=0.01, rtol=0)


def test_by_softmax_what_is_alike_counts_alike_and_a_target_that_fills_the_image_is_no_error():
    torch.testing.assert_close(weigh([0.3] * 4, [False, True, True, True])[0], torch.tensor([1.0, 2.0, 2.0, 2.0]))
    assert weigh([0.3] * 4, [False] * 4).tolist() == [[1.0] * 4] * 4


def test_the_even_counterpart_of_softmax_requires_nothing_and_counts_all_alike():
    even = build_dense(SoftmaxDenseContrastTerm, informed=False)
    assert even.required_targets == frozenset()
    assert build_dense(SoftmaxDenseContrastTerm).required_targets == {'similarity', 'logit_scale'}
    assert weigh([0.9, 0.9, 0.1, 0.3], [False, False, True, True], informed=False)[0].tolist() == [1.0, 1.0, 2.0, 2.0]
    features, targets, batch = make_features(3), make_targets(3), make_batch(3)
    losses = [build_dense(SoftmaxDenseContrastTerm, informed=known)(features, targets, batch, 5) for known in (True, False)]
    assert losses[0].item() != pytest.approx(losses[1].item(), rel=1e-4)
    losses[0].backward()
    assert features.query.grad.abs().sum() > 0


def build_dense(kind, **settings):
    torch.manual_seed(0)
    return kind(make_space(), **settings)
