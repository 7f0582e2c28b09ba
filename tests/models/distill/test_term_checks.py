"""What a head holds the terms of a user to."""
import pytest
import torch
from mmengine.logging import MMLogger
from torch import nn

from mmduet.models.distill import DistillTerm
from tests.distill_batch import make_batch, make_features, make_head, make_targets


def call(head):
    return head(make_features(2), {'teacher': make_targets(2)}, make_batch(2))


class OwnTerm(DistillTerm):
    """A term of a user, what it returns given."""

    answer = staticmethod(lambda features: features.query.sum())

    def forward(self, features, targets, batch, step):
        return self.answer(features)


@pytest.mark.parametrize(('answer', 'got'), [
    (lambda features: None, 'NoneType'), (lambda features: {'loss': features.query.sum()}, 'dict'),
    (lambda features: features.query.sum().item(), 'float'), (lambda features: features.query.sum(1), r'\(2,\)')])
def test_a_term_that_gives_no_single_number_is_named(answer, got):
    class Wrong(OwnTerm):
        pass

    Wrong.answer = staticmethod(answer)
    with pytest.raises(TypeError, match=rf"^the term 'own' \(Wrong\) must return one number, .* got {got}$"):
        call(make_head(own=dict(type=Wrong)))


def test_a_term_that_teaches_nobody_is_warned_of_once(caplog):
    class Constant(OwnTerm):
        answer = staticmethod(lambda features: features.query.detach().sum())

    head = make_head(own=dict(type=Constant))
    MMLogger.get_instance('test_duet_head').addHandler(caplog.handler)
    call(head)
    call(head)
    said = [record.getMessage() for record in caplog.records if 'without a gradient' in record.getMessage()]
    assert said == ["the term 'own' (Constant) gave a loss without a gradient: it depends on nothing that is trained"]


@pytest.mark.parametrize('kind', ['no_term', 'no_super', 'text', 'unknown'])
def test_a_term_that_breaks_a_promise_is_refused_when_the_head_is_built(kind):
    class NoTerm(nn.Module):
        def __init__(self, space):
            super().__init__()

    class NoSuper(OwnTerm):
        def __init__(self, space):
            self.weight = 1.0

    class Text(OwnTerm):
        required_targets = 'region'

    class Unknown(OwnTerm):
        required_targets = frozenset({'regions'})

    made, sentence = {
        'no_term': (NoTerm, r"^the term 'own' \(NoTerm\) must extend DistillTerm, of mmduet\.models\.distill"),
        'no_super': (NoSuper, r"^the term 'own': NoSuper\.__init__ must call super\(\)\.__init__\(space, weight\)"),
        'text': (Text, r"^the term 'own': Text\.required_targets must be a set of boxes, .*, got 'region'"),
        'unknown': (Unknown, r"Unknown\.required_targets must be a set of .* got frozenset\(\{'regions'\}\)")}[kind]
    with pytest.raises(ValueError, match=sentence):
        make_head(own=dict(type=made))


def test_required_targets_may_be_a_list():
    class Listed(OwnTerm):
        required_targets = ['patches']

    assert 'patches' in make_head(own=dict(type=Listed)).required_of('teacher')


@pytest.mark.parametrize('answer', [lambda targets: targets.patches.mean(),
                                    lambda targets: torch.cosine_similarity(targets.text, targets.patches)])
def test_a_term_that_reads_what_it_did_not_require_is_told_what_is_none(answer):
    class Greedy(OwnTerm):
        def forward(self, features, targets, batch, step):
            return answer(targets)

    with pytest.raises(TypeError, match=r"^the term 'own' \(Greedy\) met a None \(.*NoneType.*\)\. None are here "
                                        r'targets\.boxes, .*targets\.patches, .*features\.attention: a target is given if '
                                        r'required_targets of the term has it$'):
        call(make_head(own=dict(type=Greedy)))


def test_another_error_of_a_term_stays_what_it_is():
    class Broken(OwnTerm):
        answer = staticmethod(lambda features: features.querry)

    with pytest.raises(AttributeError, match=r"^'GroundingFeatures' object has no attribute 'querry'$"):
        call(make_head(own=dict(type=Broken)))
