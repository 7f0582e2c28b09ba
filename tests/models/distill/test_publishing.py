import torch

from mmduet.models import AgreementScoreHead
from mmduet.models.distill import RankedContrastTerm
from mmduet.models.distill.publishing import publish_student
from mmduet.structures import pool_regions
from tests.distill_batch import CHANNELS, EMBED_DIMS, make_features, make_head


def published(**terms):
    head = make_head(**terms)
    state = {f'head.{key}': value for key, value in head.state_dict().items()} | {'student.box': torch.ones(1)}
    return head, publish_student(state)


def test_the_score_of_a_published_student_reads_what_the_head_trained():
    head, state = published()
    assert state.pop('box') == 1
    score = AgreementScoreHead(CHANNELS, {'text': EMBED_DIMS, 'query': EMBED_DIMS})
    weights = {key.removeprefix('score_head.'): value for key, value in state.items()}
    assert score.load_state_dict(weights, strict=False).missing_keys == ['scale', 'bias']
    features, term = make_features(), head.terms['contrast']
    region = term.projector.embed(features, features.boxes[-1][:, None])[:, 0]
    torch.testing.assert_close(score.read(features)[:, 2], (term.anchors(features) * region).sum(1))
    text = head.spaces['teacher'].projectors['text'](features.text.mean(1))
    pooled = pool_regions(features.visual, features.boxes[-1][:, None])[:, 0]
    region = head.spaces['teacher'].projectors['region'](pooled)
    torch.testing.assert_close(score.read(features)[:, 0], (text * region).sum(1))


def test_the_score_of_a_student_with_the_ranked_contrast_reads_its_placed_regions():
    head, state = published(contrast=dict(type=RankedContrastTerm))
    score = AgreementScoreHead(CHANNELS, {'placed': EMBED_DIMS, 'text': EMBED_DIMS})
    weights = {key.removeprefix('score_head.'): value for key, value in state.items()}
    found = score.load_state_dict({name: value for name, value in weights.items() if name != 'box'}, strict=False)
    assert found.missing_keys == ['scale', 'bias'] and found.unexpected_keys == []
    features, term = make_features(), head.terms['contrast']
    region = term.regions(features.answer_map, features.boxes[-1][:, None])[:, 0]
    torch.testing.assert_close(score.read(features)[:, 0], (term.anchors(features) * region).sum(1))


def test_a_space_of_which_one_half_is_missing_is_left_out():
    names = {key.split('.')[2] for key in published(region=None, relation=None)[1] if key.startswith('score_head')}
    assert names == {'query'}
    names = {key.split('.')[2] for key in published(contrast=None)[1] if key.startswith('score_head')}
    assert names == {'text'}
    assert list(published(region=None, relation=None, contrast=None)[1]) == ['box']


def test_both_halves_of_a_space_are_of_one_teacher_or_term():
    def of(key, value):
        return {f'head.{key}.layers.0.weight': torch.full((1, ), value)}

    state = {'student.box': torch.ones(1), **of('spaces.a.projectors.text', 1.0), **of('spaces.b.projectors.text', 2.0),
             **of('spaces.b.projectors.region', 2.0), **of('terms.first.projector', 3.0),
             **of('terms.second.anchor.projector', 4.0), **of('terms.second.projector', 4.0),
             **of('terms.third.anchor.projector', 5.0), **of('terms.third.projector', 5.0)}
    assert {key: value.item() for key, value in publish_student(state).items()} == {
        'box': 1.0, 'score_head.anchors.text.layers.0.weight': 2.0, 'score_head.regions.text.layers.0.weight': 2.0,
        'score_head.anchors.query.layers.0.weight': 4.0, 'score_head.regions.query.layers.0.weight': 4.0}


def test_teachers_and_terms_may_have_any_name():
    state = {'student.box': torch.ones(1), **{f'head.spaces.clip-b 16.projectors.{half}.layers.0.weight': torch.ones(1)
                                              for half in ('text', 'region')}}
    assert list(publish_student(state)) == ['box', 'score_head.anchors.text.layers.0.weight',
                                            'score_head.regions.text.layers.0.weight']


def test_a_student_that_has_a_score_or_is_plain_is_published_as_it_is():
    own = {'student.box': torch.ones(1), 'student.score_head.bias': torch.zeros(1), 'head.x': torch.zeros(1)}
    assert list(publish_student(own)) == ['box', 'score_head.bias']
    assert list(publish_student({'box': torch.ones(1)})) == ['box']
