from dataclasses import fields, replace

import pytest
import torch

from mmduet.models.distill import RelationTerm
from mmduet.models.distill.terms.relation_term import EmbeddingBank
from mmduet.models.losses.semantic_losses import relation_loss
from mmduet.structures import TargetIdentity
from tests.distill_batch import make_batch, make_features, make_space, make_targets, of_images


def call(term, batch):
    return term(make_features(), make_targets(), batch, 0)


@pytest.mark.parametrize('temperature', [0.1, 1.0])
@pytest.mark.parametrize('gather', [True, False])
def test_it_is_the_weighted_relation_of_the_embeddings_of_the_space(temperature, gather):
    space, features, targets, batch = make_space(), make_features(), make_targets(), make_batch()
    term = RelationTerm(space, weight=0.7, temperature=temperature, gather=gather)
    assert term.required_targets == {'text', 'region', 'logit_scale'} and set(space.projectors) == {'text', 'region'}
    pair = space.embed('text', features, batch), space.embed('region', features, batch)
    expected = 0.7 * relation_loss(pair, (targets.text, targets.region), temperature, 20.0, torch.eye(2, dtype=torch.bool))
    torch.testing.assert_close(call(term, batch), expected)


def test_two_expressions_of_one_target_are_no_negatives_of_each_other():
    term, batch = RelationTerm(make_space(), weight=1.0), make_batch()
    assert call(term, of_images(batch, 7, 7)) == 0
    assert call(term, of_images(batch, 7, 8)) > 0.01


@pytest.mark.parametrize(('iou', 'same'), [(0.4, True), (0.9, False)])
def test_how_much_two_targets_overlap_decides_whether_they_are_one(iou, same):
    batch = of_images(make_batch(), 7, 7)
    batch.identity.boxes[1] = torch.tensor([0.5, 0.5, 0.2, 0.1])
    assert (call(RelationTerm(make_space(), same_target_iou=iou), batch) == 0) == same


def rows_of(whole, rows):
    """Some rows of features, targets or a batch's identity."""
    parts = {field.name: getattr(whole, field.name) for field in fields(whole)}
    return replace(whole, **{name: value[:, rows] if name == 'boxes' and value.dim() == 3 else value[rows]
                             for name, value in parts.items() if torch.is_tensor(value) and value.dim()})


def batch_of(batch, rows):
    return replace(make_batch(len(rows)), identity=rows_of(batch.identity, rows), boxes=batch.boxes[rows])


def test_a_bank_relates_a_step_to_the_earlier_ones_of_its_update():
    term, batch = RelationTerm(make_space(), weight=1.0, bank=True), make_batch(4)
    features, targets = make_features(4), make_targets(4)

    def step(rows, number):
        part = batch_of(batch, rows)
        return term(rows_of(features, rows), rows_of(targets, rows), part, number)

    alone = RelationTerm(make_space(), weight=1.0)
    first = step([0, 1], 7)
    assert first == alone(rows_of(features, [0, 1]), rows_of(targets, [0, 1]), batch_of(batch, [0, 1]), 0)
    given = step([2, 3], 7)
    pair = [term._embed(name, features, batch) for name in ('text', 'region')]
    student, teacher = (logits[[2, 3, 0, 1]][:, [2, 3, 0, 1]].log_softmax(1) for logits in (
        10 * pair[0] @ pair[1].T, 20 * targets.text @ targets.region.T))
    by_text = (teacher.exp() * (teacher - student)).sum(1)[:2].mean()
    student, teacher = (logits[[2, 3, 0, 1]][:, [2, 3, 0, 1]].log_softmax(1) for logits in (
        10 * pair[1] @ pair[0].T, 20 * targets.region @ targets.text.T))
    by_region = (teacher.exp() * (teacher - student)).sum(1)[:2].mean()
    torch.testing.assert_close(given, (by_text + by_region) / 2)
    given.backward()
    assert features.text.grad[:2].abs().sum() == 0 and features.text.grad[2:].abs().sum() > 0
    assert step([0, 1], 8) == first
    assert term.eval() and step([2, 3], 8) < given


@pytest.mark.parametrize(('views', 'apart'), [([7, 7], True), ([7, 9], False), ([0, 0], False)])
def test_a_bank_tells_two_targets_of_one_crop_apart_and_those_of_two_not(views, apart):
    term, features, targets = RelationTerm(make_space(), bank=True), make_features(), make_targets()
    identity = TargetIdentity(image=torch.tensor([7, 7]), boxes=torch.tensor([[0.2, 0.2, 0.1, 0.1], [0.8, 0.8, 0.1, 0.1]]),
                              whole=torch.zeros(2, dtype=torch.bool), view=torch.tensor(views))
    batch = replace(make_batch(), identity=identity)
    first, second = (term(rows_of(features, [k]), rows_of(targets, [k]), batch_of(batch, [k]), 0) for k in (0, 1))
    assert first == 0 and (second > 0.01) == apart


def test_a_bank_brings_the_gradient_of_small_steps_nearer_to_that_of_a_large_batch():
    """Eight steps of four against one of 32."""
    batch, targets = make_batch(32), make_targets(32)

    def gradient(steps, **options):
        term = RelationTerm(make_space(), **options)
        for rows in torch.arange(32).chunk(steps):
            part = batch_of(batch, rows)
            (term(rows_of(make_features(32), rows), rows_of(targets, rows), part, 0) / steps).backward()
        return torch.cat([weight.grad.flatten() for weight in term._embed.__self__.parameters()])

    whole = gradient(1)
    without, with_bank = (torch.cosine_similarity(whole, gradient(8, bank=bank), dim=0) for bank in (False, True))
    assert with_bank > without + 0.01, (without, with_bank)


def test_a_temperature_must_be_positive():
    with pytest.raises(ValueError, match='temperature must be positive, got 0'):
        RelationTerm(make_space(), temperature=0)


def test_how_far_the_target_is_from_uniform_is_kept_of_the_first_training_call():
    term = RelationTerm(make_space())
    call(term.eval(), make_batch())
    assert term.facts == {}
    call(term.train(), make_batch())
    share = (make_targets().text @ make_targets().region.T * 20).softmax(dim=1)
    expected = (share * (share * 2).log()).sum(dim=1).mean().item()
    assert term.facts == {'target over 2 regions, nats from uniform': pytest.approx(expected, rel=1e-4)}
    kept = dict(term.facts)
    call(term, of_images(make_batch(), 7, 7))
    assert term.facts == kept


def test_rows_of_one_update_are_kept_without_gradient_and_those_of_others_are_not():
    bank, first, second = EmbeddingBank(), torch.ones(2, 3, requires_grad=True), torch.zeros(1, 3, requires_grad=True)
    assert bank.join(0, first)[0] is first
    joined, = bank.join(0, second)
    assert joined.tolist() == [[0.0] * 3, [1.0] * 3, [1.0] * 3]
    joined.sum().backward()
    assert first.grad is None and second.grad.tolist() == [[1.0] * 3]
    assert [tensor.tolist() for tensor in bank.join(1, second, torch.tensor([5]))] == [[[0.0] * 3], [5]]
    assert [len(tensor) for tensor in bank.join(1, first, torch.tensor([6, 7]))] == [3, 3]
