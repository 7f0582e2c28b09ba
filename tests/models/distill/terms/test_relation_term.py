import pytest
import torch
from mmengine.logging import MMLogger

from mmduet.models.distill import RelationTerm
from mmduet.models.losses.semantic_losses import relation_loss
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


def test_a_temperature_must_be_positive():
    with pytest.raises(ValueError, match='temperature must be positive, got 0'):
        RelationTerm(make_space(), temperature=0)


def test_what_the_teacher_says_is_logged_once(monkeypatch):
    said, term = [], RelationTerm(make_space())
    monkeypatch.setattr(MMLogger.get_current_instance(), 'handle', lambda record: said.append(record.getMessage()))
    call(term.eval(), make_batch())
    assert said == []
    for _ in range(2):
        call(term.train(), make_batch())
    share = (make_targets().text @ make_targets().region.T * 20).softmax(dim=1)
    expected = (share * (share * 2).log()).sum(dim=1).mean().item()
    assert said == [f'relation: the softmax of the teacher over 2 regions is {expected:.2f} nats from uniform']
