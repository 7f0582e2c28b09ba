import copy
import uuid

import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapper

from mmduet.datasets import EpochSampler, RandomFlip, RandomTargetCrop, grounding_collate
from mmduet.models.distill import FeatureTerm
from mmduet.registry import MODELS, RUNNERS
from mmduet.teacher_cache.store import CacheError
from projects.ablation.control_teachers import ShuffledTeacher
from tests.tiny_cache import ask, build_dataset, load_config, write_cache
from tests.tiny_clip_config import write_clip_config

ALL = frozenset({'text', 'region', 'image', 'similarity', 'others', 'logit_scale'})
PLAIN, FLIP = dict(type=RandomFlip, prob=0.0), dict(type=RandomFlip, prob=1.0)
CROP = dict(type=RandomTargetCrop, prob=1.0, short_sides=[32], crop_range=(10, 20), min_kept=0.6)


def build(root, cache=None, **teacher):
    return MODELS.build(load_config(root, cache, **teacher).model.teacher)


@pytest.mark.parametrize('share', [False, True], ids=['an image each', 'shared images'])
@pytest.mark.parametrize('transform', [PLAIN, FLIP], ids=['plain', 'mirrored'])
def test_it_agrees_with_the_teacher_about_the_same_view(made, transform, share):
    root, cache = made
    dataset = build_dataset(root, transform, splits=['train', 'val'])
    given, batch = ask(build(root), dataset, ALL, share)
    found, _ = ask(build(root, cache), dataset, ALL, share)
    assert len(batch.views) == (12 if share else 24)
    assert any(view.flip for view in batch.views) == (transform is FLIP)
    for name in ('text', 'region', 'image', 'others'):
        first, second = given.get(name), found.get(name)
        assert second.dtype == torch.float32 and first.shape == second.shape
        there = first.norm(dim=-1) > 0
        assert F.cosine_similarity(first, second, dim=-1)[there].min() >= 0.999
        torch.testing.assert_close(second.norm(dim=-1), there.float())
        assert there.all()
    torch.testing.assert_close(found.similarity, given.similarity, atol=2e-3, rtol=0)
    assert found.logit_scale.equal(given.logit_scale) and found.logit_scale.item() == pytest.approx(19.5, abs=0.1)


def test_a_crop_reads_its_part_of_the_map_and_the_whole_image_otherwise(made):
    root, cache = made
    cropped = build_dataset(root, FLIP, CROP, first=2)
    whole = build_dataset(root, FLIP, first=2)
    found, batch = ask(build(root, cache), cropped, ALL)
    samples = batch.samples
    expected, _ = ask(build(root, cache), whole, ALL)
    assert samples[1].crop_window != (0, 0, 32, 24) and samples[1].flip
    for name in ('text', 'region', 'image'):
        assert torch.equal(found.get(name), expected.get(name))
    x1, y1, x2, y2 = samples[1].crop_window
    # The centre of the view, in the mirrored image and its 8 x 8 map.
    column, row = (32 - (x1 + x2) / 2) / 32 * 8 - 0.5, (y1 + y2) / 2 / 24 * 8 - 0.5
    left, top = int(column), int(row)
    corner = expected.similarity[1, top:top + 2, left:left + 2]
    at_centre = torch.lerp(torch.lerp(corner[0, 0], corner[0, 1], column - left),
                           torch.lerp(corner[1, 0], corner[1, 1], column - left), row - top)
    torch.testing.assert_close(found.similarity[1, 3:5, 3:5].mean(), at_centre, atol=0.05, rtol=0)
    assert not torch.allclose(found.similarity[1], expected.similarity[1], atol=0.05)


def test_an_object_that_a_crop_leaves_out_keeps_the_others_in_their_places(made):
    root, cache = made
    dataset = build_dataset(root, PLAIN, CROP)
    whole, _ = ask(build(root, cache), build_dataset(root, PLAIN), ALL)
    found, batch = ask(build(root, cache), dataset, ALL)
    assert {source.others for source in batch.sources} > {((0, 0), (1, 1))}
    for number, source in enumerate(batch.sources):
        for column, place in source.others:
            assert torch.equal(found.others[number, column], whole.others[number, place])


def train(root, cache, steps=6):
    torch.manual_seed(0)
    model = MODELS.build(load_config(root, cache).model).train()
    optim = OptimWrapper(torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.05))
    dataset, losses = build_dataset(root), []
    order = EpochSampler(dataset, seed=3)
    for epoch in range(steps // 3):
        order.set_epoch(epoch)
        indices = list(order)
        for start in range(0, 12, 4):
            batch = grounding_collate([dataset[index] for index in indices[start:start + 4]])
            losses.append(model.train_step(batch, optim)['loss'].item())
    return losses, model.state_dict()


def test_training_with_it_agrees_with_training_with_the_teacher(made):
    root, cache = made
    online, weights = train(root, None)
    cached, other_weights = train(root, cache)
    assert cached == pytest.approx(online, rel=5e-3) and len(set(online)) == 6
    for name, value in weights.items():
        torch.testing.assert_close(other_weights[name], value, atol=5e-3, rtol=0)


def run(root, cache, folder, **changes):
    cfg = load_config(root, cache)
    cfg.merge_from_dict(changes)
    cfg.work_dir, cfg.experiment_name = str(folder), uuid.uuid4().hex
    cfg.train_cfg.update(max_iters=2, val_interval=10)
    cfg.update(val_dataloader=None, val_cfg=None, val_evaluator=None, test_dataloader=None, test_cfg=None, test_evaluator=None)
    runner = RUNNERS.build(cfg)
    runner.train()
    return runner


def test_a_runner_trains_with_it_and_refuses_a_wrong_cache_before_the_first_step(made, tmp_path):
    root, cache = made
    assert run(root, cache, tmp_path / 'right').iter == 2
    with pytest.raises(CacheError, match='holds no cache of a teacher'):
        run(root, tmp_path / 'nowhere', tmp_path / 'none')
    with pytest.raises(CacheError, match=r'views is \[.* 1\.2}\] in the cache and \[.* 1\.3}\]'):
        run(root, cache, tmp_path / 'wrong', **{'model.teacher.teacher.views.0.scale': 1.3})


def test_it_builds_no_teacher_and_keeps_no_state(made):
    root, cache = made
    teacher = build(root, cache)
    assert teacher.embed_dims == 64 and not list(teacher.parameters()) and not teacher.state_dict()
    ask(teacher, build_dataset(root), ALL)
    copied = copy.deepcopy(teacher)
    assert copied._sections['tiny', 'train'] is teacher._sections['tiny', 'train']


def test_it_gives_what_is_required_and_nothing_else(made):
    root, cache = made
    found, _ = ask(build(root, cache), build_dataset(root), {'similarity'})
    assert found.given().keys() == {'similarity'} and found.similarity.shape == (12, 8, 8)


def test_a_term_that_requires_what_is_not_cached_is_refused_at_construction(made):
    class PatchTerm(FeatureTerm):
        def __init__(self, space):
            super().__init__(space, 'text', 'text')
            self.required_targets = frozenset({'patches'})

    config = load_config(*made).model
    config.head.terms = dict(dense=dict(type=PatchTerm))
    with pytest.raises(ValueError, match=r"the term 'dense' \(PatchTerm\) requires patches, which CachedTeacher does not "
                                         'give: it gives image, logit_scale, others, region, similarity, text'):
        MODELS.build(config)


def test_it_gives_the_scale_alone_and_a_bias_where_the_teacher_has_one(made, tmp_path):
    root, cache = made
    found, _ = ask(build(root, cache), build_dataset(root), {'logit_scale'})
    assert found.given().keys() == {'logit_scale'} and found.logit_scale.shape == ()
    changes = dict(model='tiny_sigmoid', pretrained=None,
                   model_config=write_clip_config(tmp_path, 'tiny_sigmoid', custom_text=True, init_logit_bias=-9.3))
    assert build(root, tmp_path / 'nowhere', **changes).gives == ALL | {'logit_bias'}
    biased = write_cache(root, tmp_path / 'cache', '--cfg-options',
                         *(f'model.teacher.{name}={value}' for name, value in changes.items()))
    teacher = build(root, biased, **changes)
    assert teacher.gives == ALL | {'logit_bias'} and build(root, cache).gives == ALL
    given, _ = ask(teacher, build_dataset(root), {'logit_bias', 'logit_scale'})
    assert given.logit_bias.item() == pytest.approx(-9.3) and given.logit_scale.item() == pytest.approx(1 / 0.07)


def test_views_prompts_and_size_are_cached_as_the_teacher_has_them(made, tmp_path):
    root, _ = made
    options = ['model.teacher.image_size=48', "model.teacher.prompts=['{}','a photo of {}.']",
               'model.teacher.views.0.scale=1.5']
    cache = write_cache(root, tmp_path / 'cache', '--distractors', '--cfg-options', *options)
    changes = dict(image_size=48, prompts=['{}', 'a photo of {}.'], views=[dict(type='mmduet.CropView', scale=1.5)])
    given, _ = ask(build(root, **changes), build_dataset(root, PLAIN), ALL)
    found, _ = ask(build(root, cache, **changes), build_dataset(root, PLAIN), ALL)
    assert found.similarity.shape == (12, 6, 6)
    for name in ('text', 'region', 'image', 'others'):
        assert F.cosine_similarity(given.get(name), found.get(name), dim=-1).min() >= 0.999


def test_another_teacher_can_wrap_it(made):
    root, cache = made
    config = load_config(root, cache).model.teacher
    found, _ = ask(ShuffledTeacher(config), build_dataset(root), {'text'})
    expected, _ = ask(build(root, cache), build_dataset(root), {'text'})
    assert torch.equal(found.text[1], expected.text[0])
