import copy
from dataclasses import replace

import pytest
import torch

from mmduet.models.base_grounder import stack_targets
from mmduet.models.distill import DifferentiableRegionAnchor, DUETHead, LocatedRegionProjector, QueryAnchor, RegionAnchor
from mmduet.models.losses import RegionContrastiveLoss, SemanticDistillLoss
from mmduet.models.losses.semantic_distill_loss import cosine_distance
from mmduet.models.task_modules import LocationSampler, RandomSampler, SLASampler
from mmduet.registry import MODELS
from mmduet.structures import TeacherTargets, pool_regions
from tests.distill_batch import CHANNELS, EMBED_DIMS, make_features, make_samples, make_targets

ALL = frozenset({'text', 'region', 'image', 'similarity'})
SEMANTIC, REGION = dict(type=SemanticDistillLoss), dict(type=RegionContrastiveLoss)
EVERY_LOSS = {'loss_text', 'loss_region', 'loss_image', 'loss_relation', 'loss_contrast'}


def build(semantic=SEMANTIC, region=REGION, **settings):
    torch.manual_seed(0)
    return DUETHead(CHANNELS, EMBED_DIMS, semantic, region, **settings)


def only(**weights):
    return dict(type=SemanticDistillLoss, **{**dict(text_weight=0.0, region_weight=0.0, image_weight=0.0, relation_weight=0.0),
                                             **weights})


def call(head, batch=2, **changes):
    arguments = dict(features=make_features(batch), targets=make_targets(batch), samples=make_samples(batch))
    return head(**{**arguments, **changes})


@pytest.mark.parametrize(('settings', 'losses', 'needs', 'projectors'), [
    (dict(), EVERY_LOSS, ALL, {'text', 'region', 'image'}),
    (dict(region=None), EVERY_LOSS - {'loss_contrast'}, ALL - {'similarity'}, {'text', 'region', 'image'}),
    (dict(region=dict(type=RegionContrastiveLoss, weight=0.0)), EVERY_LOSS - {'loss_contrast'}, ALL - {'similarity'},
     {'text', 'region', 'image'}),
    (dict(semantic=None), {'loss_contrast'}, {'similarity'}, {'region'}),
    (dict(semantic=None, sampler=dict(type=RandomSampler)), {'loss_contrast'}, set(), {'region'}),
    (dict(semantic=None, sampler=dict(type=LocationSampler)), {'loss_contrast'}, set(), {'region'}),
    (dict(semantic=None, contrast_projector=dict()), {'loss_contrast'}, {'similarity'}, set()),
    (dict(semantic=only(image_weight=1.0), region=None), {'loss_image'}, {'image'}, {'image'}),
    (dict(semantic=only(relation_weight=1.0), region=None), {'loss_relation'}, {'text', 'region'}, {'text', 'region'}),
    (dict(semantic=None, region=None), set(), set(), set()),
])
def test_a_removed_term_takes_its_projector_and_its_question_along(settings, losses, needs, projectors):
    head = build(**settings)
    result = call(head)
    assert (result.keys(), head.needs, set(head.projectors)) == (losses, needs, projectors)
    if result:
        sum(result.values()).backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


@pytest.mark.parametrize('anchor', [QueryAnchor, RegionAnchor, DifferentiableRegionAnchor])
@pytest.mark.parametrize('projector', [None, dict(), dict(type=LocatedRegionProjector)])
def test_every_parameter_gets_a_gradient_with_every_anchor(anchor, projector):
    head = build(anchor=dict(type=anchor), contrast_projector=projector)
    sum(call(head).values()).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in head.parameters())


def test_feature_terms_compare_what_the_method_says():
    head, features, targets, samples = build(region=None), make_features(), make_targets(), make_samples()
    losses = head(features, targets, samples)
    pooled = {'text': features.text.mean(1), 'image': features.visual.mean((2, 3)),
              'region': pool_regions(features.visual, stack_targets(samples, 'cpu')[:, None])[:, 0]}
    for name, value in pooled.items():
        expected = cosine_distance(head.projectors[name](value), getattr(targets, name))
        torch.testing.assert_close(losses[f'loss_{name}'], expected)


def test_padding_of_text_and_image_changes_nothing():
    features = make_features()
    text_padding, visual_padding = torch.zeros(2, 5, dtype=torch.bool), torch.zeros(2, 4, 4, dtype=torch.bool)
    text_padding[0, 3:] = visual_padding[:, 3:] = True
    text, visual = features.text.detach().clone(), features.visual.detach().clone()
    text[0, 3:], visual[:, :, 3:] = 9.0, -9.0
    head = build(only(text_weight=1.0, image_weight=1.0), None)
    padded = replace(features, text_padding=text_padding, visual_padding=visual_padding)
    for name, value in call(head, features=padded).items():
        torch.testing.assert_close(call(head, features=replace(padded, text=text, visual=visual))[name], value)


def test_semantics_of_a_candidate_are_read_from_the_teachers_similarity_over_the_photo():
    # The left third of the photo reads like the words, the rest is opposite; the target lies right.
    similarity = torch.tensor([1.0, -1.0, -1.0]).expand(1, 3, 3)
    head = build(sampler=dict(type=SLASampler, negatives=1, temperature=1e-3))
    regions = head.sample_regions(TeacherTargets(similarity=similarity), torch.tensor([[0.85, 0.5, 0.2, 0.2]]), make_samples(1))
    assert regions.negatives[0, 0, 0] < 1 / 3


def test_crops_tell_the_semantics_of_annotated_boxes_if_asked():
    # To the patches all reads alike; of the crops only that of the second sample's distractor reads like the words.
    text = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    targets = TeacherTargets(text=text, region=text, similarity=-torch.ones(2, 3, 3),
                             distractors=torch.tensor([[[0.0, 0.0]], [[1.0, 0.0]]]))
    head = build(sampler=dict(type=SLASampler, negatives=1, temperature=1e-3, read_crops=True))
    assert head.needs >= {'similarity', 'text', 'region', 'distractors'}
    samples = make_samples(2, distractors=True)
    regions = head.sample_regions(targets, stack_targets(samples, 'cpu'), samples)
    expected = torch.tensor([30.0 * 1.6, 8 + 10 * 1.6, 12 * 1.6, 10 * 1.6]) / 64
    torch.testing.assert_close(regions.negatives[1, 0], expected)
    with pytest.raises(ValueError, match='read_crops needs text, region and distractors'):
        head.sample_regions(replace(targets, distractors=None), stack_targets(samples, 'cpu'), samples)


def test_distractors_may_be_drawn_and_their_number_may_differ():
    head = build(sampler=dict(type=RandomSampler, candidates=dict(jitters=0, near_misses=0, randoms=0)))
    samples = make_samples(3, distractors=True)
    regions = head.sample_regions(TeacherTargets(), stack_targets(samples, 'cpu'), samples)
    assert regions.negative_valid.sum(1).tolist() == [0, 1, 2]
    expected = torch.tensor([30.0 * 1.6, 8 + 10 * 1.6, 12 * 1.6, 10 * 1.6]) / 64
    torch.testing.assert_close(regions.negatives[1][regions.negative_valid[1]], expected[None])


@pytest.mark.parametrize('anchor', [QueryAnchor, RegionAnchor])
@pytest.mark.parametrize('chosen', ['visual', 'fused'])
def test_the_contrast_reads_the_map_that_is_asked_for_and_no_other(anchor, chosen):
    features = make_features()
    head = build(semantic=None, anchor=dict(type=anchor), contrast_projector=dict(reads=chosen))
    call(head, features=features)['loss_contrast'].backward()
    assert {name for name in ('visual', 'fused') if getattr(features, name).grad is not None} == {chosen}


def test_gradients_stop_at_the_sampled_regions_if_asked():
    features = make_features()
    head = build(only(region_weight=1e-9), stop_gradient=True)
    call(head, features=features)['loss_contrast'].backward()
    assert features.visual.grad is None and features.query.grad.abs().sum() > 0
    features = make_features()
    call(build(only(region_weight=1e-9)), features=features)['loss_contrast'].backward()
    assert features.visual.grad.abs().sum() > 0


@pytest.mark.parametrize('settings', [dict(semantic=None), dict(contrast_projector=dict())])
def test_a_projector_that_nothing_would_train_is_refused(settings):
    with pytest.raises(ValueError, match='nothing would train'):
        build(stop_gradient=True, **settings)
    build(stop_gradient=True, anchor=dict(type=RegionAnchor), **settings)


def test_losses_warm_up_linearly_over_training_calls():
    head, plain = build(region=None, warmup_steps=4), build(region=None)
    full = call(plain)['loss_text']
    shares = [call(head)['loss_text'].item() / full.item() for _ in range(5)]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])


def test_draws_change_from_step_to_step_and_go_on_where_a_checkpoint_stopped():
    head = build()
    first, second = (call(head)['loss_contrast'].item() for _ in range(2))
    state = copy.deepcopy(head.state_dict())
    third = call(head)['loss_contrast'].item()
    assert len({first, second, third}) == 3
    resumed = build()
    resumed.load_state_dict(state)
    assert call(resumed)['loss_contrast'].item() == third
    resumed.load_state_dict(state)
    assert call(resumed.eval())['loss_contrast'].item() == call(resumed)['loss_contrast'].item()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_features_under_autocast_give_float32_losses(dtype):
    with torch.autocast('cpu', torch.bfloat16):
        losses = call(build(), features=make_features(dtype=dtype))
    for value in losses.values():
        assert value.dtype == torch.float32 and torch.isfinite(value)


def test_one_expression_alone_is_enough():
    head = build()
    losses = call(head, batch=1)
    sum(losses.values()).backward()
    assert losses['loss_relation'] == 0 and all(torch.isfinite(parameter.grad).all() for parameter in head.parameters())


def test_a_teacher_that_gives_no_similarity_is_told_so():
    with pytest.raises(ValueError, match='SLASampler needs the similarity map'):
        call(build(semantic=None), targets=TeacherTargets(text=make_targets().text))


def test_it_is_built_from_strings_too():
    head = MODELS.build(dict(type='mmduet.DUETHead', channels=8, embed_dims=6, semantic=dict(type='mmduet.SemanticDistillLoss'),
                             region=dict(type='mmduet.RegionContrastiveLoss'), anchor=dict(type='mmduet.RegionAnchor'),
                             sampler=dict(type='mmduet.LocationSampler', seed=3)))
    assert isinstance(head.anchor, RegionAnchor) and isinstance(head.sampler, LocationSampler) and head.sampler.seed == 3
