from dataclasses import replace

import pytest
import torch

from mmduet.models.distill import DenseContrastTerm
from mmduet.models.distill.terms.dense_contrast_term import token_coverage
from mmduet.structures import TeacherTargets
from tests.distill_batch import make_batch, make_features, make_space, make_targets


def build(**settings):
    return DenseContrastTerm(make_space(), **settings)


def test_the_share_of_each_token_that_a_box_covers_by_hand():
    covered = token_coverage(torch.tensor([[0.5, 0.25, 0.5, 0.25]]), torch.Size((2, 4)))
    assert covered.tolist() == [[0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0]]
    assert token_coverage(torch.tensor([[0.5, 0.5, 1.0, 1.0]]), torch.Size((3, 3))).tolist() == [pytest.approx([1.0] * 9)]


def test_it_is_the_cross_entropy_with_the_coverage_as_label():
    term, features, batch = build(weight=2.0, temperature=0.3, semantics_weight=0.0), make_features(), make_batch()
    assert term.required_targets == frozenset()
    tokens, anchors = term.projector(features.fused.flatten(2).mT), term.anchors(features)
    logits = torch.einsum('bd,bnd->bn', anchors, tokens) / 0.3
    label = token_coverage(batch.target_boxes, (4, 4))
    label = label / label.sum(dim=1, keepdim=True)
    expected = torch.special.xlogy(label, label).sum(dim=1) - (label * logits.log_softmax(dim=1)).sum(dim=1)
    loss = term(features, TeacherTargets(), batch, 0)
    torch.testing.assert_close(loss, 2 * expected.mean())
    loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in term.parameters())
    assert features.visual.grad is None and features.fused.grad.abs().sum() > 0


def test_a_token_outside_counts_more_the_better_it_fits_and_one_of_the_target_does_not():
    # The target covers the left of the image, whose patches fit half; of those right one fits less and one better than it.
    batch = make_batch(1, box=(0.0, 0.0, 20.0, 30.0))
    similarity = torch.tensor([[0.0, 0.0, -1.0, 1.0]]).expand(1, 4, 4)
    features = make_features(1)
    weights = {}
    for weight in (1e-9, 1.0):
        term = build(temperature=1.0, semantics_weight=weight)
        torch.nn.init.zeros_(term.projector.layers[2].weight)  # all tokens alike
        weights[weight] = term(features, TeacherTargets(similarity=similarity), batch, 0).item()
    # 8 tokens of the target and 8 others of weight 1, of which half fit at 0 or, above the target, count as such.
    assert weights[1e-9] == pytest.approx(weights[1.0], abs=1e-4)
    middling = torch.tensor([[0.5, 0.5, 0.5, -1.0]]).expand(1, 4, 4)
    raised = term(features, TeacherTargets(similarity=middling), batch, 0).item()
    assert raised > weights[1.0] + 0.05


def test_weights_of_tokens_by_hand():
    batch = make_batch(1, box=(0.0, 0.0, 20.0, 30.0))
    outside = torch.tensor([[False, False, True, True]]).expand(4, 4).reshape(1, 16)
    # From the left: the target's two columns, of the largest similarity, one halfway between it and the least, and the least.
    similarity = torch.tensor([0.9, 0.9, 0.5, 0.1]).repeat_interleave(16).expand(1, 64, 64)
    found = build(semantics_weight=2.0).weights(TeacherTargets(similarity=similarity), batch, outside, torch.Size((4, 4)))
    # The middles of the first and the last row lie in the padding.
    expected = torch.tensor([[1.0] * 4, [1.0, 1.0, 2.0, 1.0], [1.0, 1.0, 2.0, 1.0], [1.0] * 4])
    torch.testing.assert_close(found.reshape(4, 4), expected, atol=0.02, rtol=0)
    # What fits better than the target counts no more than what does not fit at all.
    above = TeacherTargets(similarity=torch.tensor([[0.0, 0.0, -0.5, 0.5]]).expand(1, 4, 4))
    weights = build().weights(above, batch, outside, torch.Size((4, 4))).reshape(4, 4)
    assert weights[:, 3].tolist() == weights[:, 0].tolist() == [1.0] * 4


def test_padding_is_no_region():
    term, batch = build(semantics_weight=0.0), make_batch()
    features = make_features()
    padding = features.visual_padding.clone()
    padding[:, 3] = True
    changed = features.fused.detach().clone()
    changed[:, :, 3] += 5
    first = term(replace(features, visual_padding=padding), TeacherTargets(), batch, 0)
    second = term(replace(features, visual_padding=padding, fused=changed), TeacherTargets(), batch, 0)
    torch.testing.assert_close(first, second)


def test_what_it_requires_and_numbers():
    assert build().required_targets == {'similarity'}
    for settings in (dict(temperature=0.0), dict(semantics_weight=-1.0)):
        with pytest.raises(ValueError, match='temperature must be positive and semantics_weight must not be negative'):
            build(**settings)
    with pytest.raises(ValueError, match='the teacher gave no similarity'):
        build()(make_features(), TeacherTargets(text=make_targets().text), make_batch(), 0)
