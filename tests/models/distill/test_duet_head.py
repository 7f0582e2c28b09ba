import copy
import inspect

import pytest
import torch
from torch import nn

from mmduet.models.distill import DistillTerm, DUETHead, FeatureTerm, RelationTerm
from mmduet.models.task_modules import LocationSampler, RandomSampler
from mmduet.registry import MODELS
from tests.distill_batch import CHANNELS, EMBED_DIMS, TERMS, make_batch, make_features, make_head, make_targets

LOSSES = {f'loss_{name}' for name in TERMS}
SEMANTIC = {'text', 'region', 'image'}


def call(head, count=2, features=None, targets=None):
    return head(make_features(count) if features is None else features, {'teacher': targets or make_targets(count)},
                make_batch(count))


@pytest.mark.parametrize(('terms', 'losses', 'required', 'projectors'), [
    (dict(), LOSSES, SEMANTIC | {'similarity', 'logit_scale'}, SEMANTIC),
    (dict(contrast=None), LOSSES - {'loss_contrast'}, SEMANTIC | {'logit_scale'}, SEMANTIC),
    (dict(text=None), LOSSES - {'loss_text'}, SEMANTIC | {'similarity', 'logit_scale'}, SEMANTIC),
    (dict(text=None, relation=None), LOSSES - {'loss_text', 'loss_relation'}, {'region', 'image', 'similarity'},
     {'region', 'image'}),
    (dict.fromkeys(('image', 'region', 'text', 'relation')), {'loss_contrast'}, {'similarity'}, set()),
    (dict(**dict.fromkeys(('image', 'region', 'text', 'relation')), contrast=dict(
        TERMS['contrast'], sampler=dict(type=RandomSampler))), {'loss_contrast'}, set(), set()),
    (dict.fromkeys(('region', 'text', 'relation', 'contrast')), {'loss_image'}, {'image'}, {'image'}),
    (dict.fromkeys(('region', 'text', 'image', 'contrast')), {'loss_relation'},
     {'text', 'region', 'logit_scale'}, {'text', 'region'}),
    (dict.fromkeys(TERMS), set(), set(), set()),
])
def test_a_term_that_is_none_takes_its_projector_and_its_question_along(terms, losses, required, projectors):
    head = make_head(**terms)
    result = call(head)
    made = set(head.spaces['teacher'].projectors)
    assert (result.keys(), head.required_of('teacher'), made) == (losses, required, projectors)
    if result:
        sum(result.values()).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in head.parameters())


def test_each_loss_is_that_of_its_term():
    head, features, targets, batch = make_head(), make_features(), make_targets(), make_batch()
    losses = head(features, {'teacher': targets}, batch)
    for name, term in head.terms.items():
        torch.testing.assert_close(losses[f'loss_{name}'], term(features, targets, batch, 0))


def test_terms_that_share_an_embedding_train_one_projector_which_the_checkpoint_holds_once():
    state = make_head(contrast=None).state_dict()
    weights = {key for key in state if key.endswith('weight')}
    assert weights == {f'spaces.teacher.projectors.{name}.layers.{layer}.weight' for name in SEMANTIC for layer in (0, 2)}


def test_losses_warm_up_linearly_over_updates():
    head, plain = make_head(4, contrast=None), make_head(contrast=None)
    full = call(plain)['loss_text']
    shares = [call(head)['loss_text'].item() / full.item() for _ in range(5)]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    accumulating = make_head(4, contrast=None)
    accumulating.accumulate(2, made=1)
    shares = [call(accumulating)['loss_text'].item() / full.item() for _ in range(4)]
    assert shares == pytest.approx([0.25, 0.5, 0.5, 0.75])


def test_a_weight_multiplies_every_term_and_is_positive():
    plain, heavy = make_head(), DUETHead(TERMS, CHANNELS, {'teacher': EMBED_DIMS}, weight=2.5)
    heavy.load_state_dict(plain.state_dict())
    assert {name: value.item() for name, value in call(heavy).items()} == pytest.approx(
        {name: 2.5 * value.item() for name, value in call(plain).items()})
    with pytest.raises(ValueError, match='weight of the head must be positive, got 0'):
        DUETHead(TERMS, CHANNELS, {'teacher': EMBED_DIMS}, weight=0)
    with pytest.raises(ValueError, match='warmup_steps must not be negative, got -3'):
        DUETHead(TERMS, CHANNELS, {'teacher': EMBED_DIMS}, warmup_steps=-3)


def test_draws_change_from_step_to_step_and_go_on_where_a_checkpoint_stopped():
    head = make_head()
    first, second = (call(head)['loss_contrast'].item() for _ in range(2))
    state = copy.deepcopy(head.state_dict())
    third = call(head)['loss_contrast'].item()
    assert len({first, second, third}) == 3
    resumed = make_head()
    resumed.load_state_dict(state)
    assert call(resumed)['loss_contrast'].item() == third
    resumed.load_state_dict(state)
    resumed.accumulate(2)
    assert [call(resumed)['loss_contrast'].item() == third for _ in range(3)] == [True, True, False]
    resumed.load_state_dict(state)
    assert call(resumed.eval())['loss_contrast'].item() == call(resumed)['loss_contrast'].item()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_features_under_autocast_give_float32_losses(dtype):
    with torch.autocast('cpu', torch.bfloat16):
        losses = call(make_head(), features=make_features(dtype=dtype))
    for value in losses.values():
        assert value.dtype == torch.float32 and torch.isfinite(value)


def test_one_expression_alone_is_enough():
    head = make_head()
    losses = call(head, 1)
    sum(losses.values()).backward()
    assert losses['loss_relation'] == 0 and all(torch.isfinite(parameter.grad).all() for parameter in head.parameters())


def test_a_term_of_a_users_own_needs_no_edit():
    class BoxArea(DistillTerm):
        required_targets = frozenset({'scores'})

        def __init__(self, space, weight=1.0):
            super().__init__(space, weight)
            self.scale = nn.Parameter(torch.ones(space.channels))

        def forward(self, features, targets, batch, step):
            return self.weight * (step + self.scale.sum() * features.boxes[-1, :, 2:].prod(1).mean())

    head = make_head(area=dict(type=BoxArea, weight=0.5))
    assert head.required_of('teacher') >= {'scores', 'similarity'}
    features = make_features()
    losses = call(head, features=features)
    torch.testing.assert_close(losses['loss_area'], 0.5 * CHANNELS * features.boxes[-1, :, 2:].prod(1).mean())
    assert losses.keys() == LOSSES | {'loss_area'}
    assert call(head, features=features)['loss_area'] > 0.5


def test_several_teachers_each_have_a_space_and_a_term_says_whose_it_reads():
    terms = dict(text=dict(type=FeatureTerm, student='text', teacher='text', from_teacher='small'),
                 image=dict(type=FeatureTerm, student='image', teacher='image', from_teacher='large'))
    head = DUETHead(terms, CHANNELS, {'small': EMBED_DIMS, 'large': EMBED_DIMS + 3})
    assert (head.required_of('small'), head.required_of('large'), head.required_of('none')) == ({'text'}, {'image'}, set())
    assert head.spaces['large'].projectors['image'].layers[2].out_features == EMBED_DIMS + 3
    assert [(need.term, need.kind, need.teacher) for need in head.requirements] == [
        ('text', 'FeatureTerm', 'small'), ('image', 'FeatureTerm', 'large')]
    for wrong, said in ((None, 'None'), ('middle', "'middle'")):
        with pytest.raises(ValueError, match=f"the term 'x' must say whose targets.*one of small, large, got {said}"):
            DUETHead(dict(x=dict(type=RelationTerm, from_teacher=wrong)), CHANNELS, {'small': 6, 'large': 9})


def test_it_is_built_from_strings_too():
    head = MODELS.build(dict(type='mmduet.DUETHead', channels=8, embed_dims=dict(teacher=6), terms=dict(
        text=dict(type='mmduet.FeatureTerm', student='text', teacher='text'), contrast=dict(
            type='mmduet.RegionContrastTerm', sampler=dict(type='mmduet.LocationSampler', seed=3)))))
    assert isinstance(head.terms['contrast'].sampler, LocationSampler) and set(head.terms) == {'text', 'contrast'}


def test_the_head_is_short():
    code = [line for line in inspect.getsource(DUETHead).split('"""')[::2] if line.strip()]
    assert sum(len([line for line in part.splitlines() if line.strip()]) for part in code) < 60
