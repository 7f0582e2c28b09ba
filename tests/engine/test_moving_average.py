import pytest
import torch
from mmengine.hooks import EMAHook

from mmduet.registry import MODELS
from tests.engine.tiny_runs import assert_equal, train_distilled, weights
from tests.fake_gpu import GPU, fake_gpu
from tests.tiny_cache import load_config, make_cache_root, write_cache
from tests.tiny_grounder import TinyGrounder, make_data_root

KINDS = [dict(), dict(ema_type='MomentumAnnealingEMA'), dict(ema_type='StochasticWeightAverage'), dict(update_buffers=True)]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=4)


def average_of(runner):
    return next(hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook))


@pytest.mark.parametrize('kind', KINDS, ids=str)
def test_student_and_head_are_averaged_and_the_teacher_is_the_same(root, tmp_path, kind):
    runner = train_distilled(tmp_path, root, custom_hooks=[dict(type='EMAHook', **kind)])
    model, average = runner.plain_model, average_of(runner)
    own = sum(parameter.numel() for part in (model.student, model.head) for parameter in part.parameters())
    assert sum(parameter.numel() for parameter in average.parameters()) == own
    assert own < sum(parameter.numel() for parameter in model.teachers.parameters())
    assert average.module.teachers is model.teachers
    assert {name.split('.')[0] for name in average.avg_parameters} == {'student', 'head'}
    assert not torch.equal(average.module.student.box_head.weight, model.student.box_head.weight)
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)
    assert {name.split('.')[1] for name in saved['ema_state_dict'] if name != 'steps'} == {'student', 'head'}
    assert torch.equal(saved['state_dict']['student.box_head.weight'], average.module.student.box_head.weight)


@pytest.mark.parametrize('kind', KINDS, ids=str)
def test_a_resumed_average_equals_one_that_was_not_interrupted(root, tmp_path, kind):
    hooks = dict(custom_hooks=[dict(type='EMAHook', **kind)])
    whole = train_distilled(tmp_path / 'whole', root, **hooks)
    train_distilled(tmp_path / 'parts', root, train_cfg__max_iters=3, **hooks)
    parts = train_distilled(tmp_path / 'parts', root, resume=True, **hooks)
    assert_equal(weights(parts), weights(whole))
    assert_equal(average_of(parts).state_dict(), average_of(whole).state_dict())


def test_averaging_changes_no_loss_and_an_average_on_another_device_leaves_the_teacher(root, tmp_path):
    plain = train_distilled(tmp_path / 'plain', root)
    averaged = train_distilled(tmp_path / 'averaged', root, custom_hooks=[dict(type='EMAHook', device='cpu', begin_epoch=1)])
    assert_equal(weights(averaged), weights(plain))


def test_a_cached_teacher_is_shared_with_what_it_has_read(tmp_path):
    data = make_cache_root(tmp_path / 'data')
    cache = write_cache(data, tmp_path / 'cache')
    model = load_config(data, cache=cache).model
    runner = train_distilled(tmp_path / 'work', data, custom_hooks=[dict(type='EMAHook')], train_cfg__max_iters=2,
                             model=dict(model.to_dict(), _delete_=True))
    average = average_of(runner)
    assert average.module.teachers is runner.plain_model.teachers
    assert {name.split('.')[0] for name in average.avg_parameters} == {'student', 'head'}
    assert MODELS.get('CachedTeacher') is type(runner.plain_model.teachers['teacher'])


@pytest.mark.parametrize('kind', ['ExponentialMovingAverage', 'MomentumAnnealingEMA', 'StochasticWeightAverage'])
def test_an_average_stays_on_the_device_waits_for_nothing_and_costs_an_operation_a_weight(kind):
    model = TinyGrounder()
    with fake_gpu(model) as launched:
        average = MODELS.build({'type': kind, 'model': model})
        average.update_parameters(model)
        launched.clear()
        average.update_parameters(model)  # one that waited for a number would fail here
        counted = list(launched)
    weights = list(average.module.parameters())
    assert {weight.device for weight in weights} == {GPU} and average.steps.device.type == 'cpu'
    moved = [name for name in counted if 'copy' in name]
    arithmetic = [name for name in counted if any(word in name for word in ('lerp', 'add_', 'mul_', 'sub', 'div'))]
    assert len(moved) <= len(list(average.module.buffers())) and len(arithmetic) <= 4 * len(weights)
