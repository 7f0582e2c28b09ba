"""What the wrapper holds the teacher of a user to."""
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmduet.models import DistilledGrounder
from mmduet.models.base_teacher import BaseTeacher
from mmduet.models.distill import DUETHead, FeatureTerm, RelationTerm
from mmduet.models.distill.teacher_checks import describe_units, measure_targets
from mmduet.structures import TeacherTargets
from tests.tiny_transvg import make_batch, tiny_transvg_config

D = 6


class OwnTeacher(BaseTeacher):
    """A teacher of a user, whose answer a test changes."""

    gives = frozenset({'text', 'region', 'logit_scale'})
    changes = staticmethod(lambda given: TeacherTargets(**given))

    def __init__(self):
        super().__init__()
        self.embed_dims = D

    def forward(self, batch, required):
        rows = F.normalize(torch.arange(1.0, 1 + D * len(batch)).reshape(len(batch), D), dim=1)
        return self.changes({'text': rows, 'region': rows.flip(0), 'logit_scale': torch.tensor(20.0)})


class NoTeacher(nn.Module):
    """Of no base."""


class NoSuper(OwnTeacher):
    """Without the base's ``__init__``."""

    def __init__(self):
        self.embed_dims = D


class NoWidth(OwnTeacher):
    """That does not say D."""

    def __init__(self):
        BaseTeacher.__init__(self)


def build(teacher):
    terms = dict(text=dict(type=FeatureTerm, student='text', teacher='text'), relation=dict(type=RelationTerm))
    torch.manual_seed(0)
    return DistilledGrounder(tiny_transvg_config(), dict(type=teacher), dict(type=DUETHead, terms=terms))


def teach(changes, training=True):
    model = build(type('Changed', (OwnTeacher, ), {'changes': staticmethod(changes)})).train(training)
    return model, model.teach(model.data_preprocessor(make_batch(), True)['batch'])


@pytest.mark.parametrize(('kind', 'sentence'), [
    (NoTeacher, r'^the teacher NoTeacher must extend BaseTeacher, of mmduet\.models\.base_teacher$'),
    (NoSuper, r'^NoSuper\.__init__ must call super\(\)\.__init__\(\)$'),
    (NoWidth, r'^NoWidth\.__init__ must set self\.embed_dims, .* got \'nothing\'$'),
    (type('Typo', (OwnTeacher, ), {'gives': frozenset({'text', 'regions'})}), r'^Typo\.gives must be a set of boxes, .* froz'),
    (type('Listed', (OwnTeacher, ), {'gives': ['text']}), r"^Listed\.gives must be a set of .* got \['text'\]$"),
    (type('Mute', (BaseTeacher, ), {'forward': OwnTeacher.forward}), r'^Mute\.gives must be a set of .* got None$')])
def test_a_teacher_that_is_not_built_as_one_is_refused(kind, sentence):
    with pytest.raises(ValueError, match=sentence):
        build(kind)


@pytest.mark.parametrize(('changes', 'error', 'sentence'), [
    (dict, TypeError, r'^Changed\.forward must return TeacherTargets, got dict$'),
    (lambda given: TeacherTargets(text=given['text'][:1]), ValueError,
     r'^Changed\.forward gave text of 1 row for a batch of 2 expressions: batch\.expand'),
    (lambda given: TeacherTargets(region=given['text'][:, :5]), ValueError,
     r'^Changed\.forward gave region of width 5, and Changed\.embed_dims is 6$')])
def test_targets_of_another_batch_or_width_are_refused(changes, error, sentence):
    with pytest.raises(error, match=sentence):
        teach(changes)


def test_how_far_targets_are_from_their_units_is_kept_of_the_first_training_call():
    model, targets = teach(lambda given: TeacherTargets(**{**given, 'text': 5 * given['text'], 'logit_scale': torch.ones(())}))
    facts = {name: value.item() for name, value in model.target_facts['teacher'].items()}
    assert facts == {'text': pytest.approx(4), 'region': pytest.approx(0, abs=1e-6), 'logit_scale': 1}
    assert facts == {name: value.item() for name, value in measure_targets(targets['teacher']).items()}
    assert teach(lambda given: TeacherTargets(**given), training=False)[0].target_facts == {}


def turn_on_and_drop(given):
    part = nn.Dropout(0.5).eval()
    part.train()
    return TeacherTargets(**{**given, 'text': F.normalize(part(given['text']), dim=1)})


def test_a_teacher_that_draws_its_targets_is_told_and_no_other():
    facts = teach(turn_on_and_drop)[0].target_facts['teacher']
    assert 'draws' in facts
    said, = describe_units('Changed', {name: value.item() for name, value in facts.items()})
    assert said.startswith('Changed drew random numbers in its first call, so that a batch may have other targets each time')
    assert 'draws' not in teach(lambda given: TeacherTargets(**given))[0].target_facts['teacher']


def test_only_what_is_not_in_its_units_is_described():
    assert describe_units('Mine', {'text': 0.001, 'region': 0.01, 'logit_scale': 100.0}) == []
    said = describe_units('Mine', {'image': 4.0, 'logit_scale': -20.0})
    assert [line.partition(':')[0] for line in said] == [
        'Mine gave image embeddings whose norm is not 1 but off by 4', 'Mine gave a logit_scale of -20']
