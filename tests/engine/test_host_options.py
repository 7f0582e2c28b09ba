"""What MMEngine's users know works with the runner, or is refused in a sentence: a test per row of docs/mmengine.md."""
import json

import pytest
import torch

from mmduet.engine.config_tools import ConfigError
from mmduet.engine.host_options import refuse_options
from mmduet.io.text import counted
from mmduet.registry import RUNNERS
from tests.engine.tiny_runs import assert_equal, group_of_one, train, weights
from tests.tiny_grounder import load_tiny_config, make_data_root

EPOCHS = dict(type='EpochBasedTrainLoop', _delete_=True)
STEPS = dict(type='IterBasedTrainLoop', val_interval=4, _delete_=True)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data')


@pytest.fixture(scope='module')
def whole(root, tmp_path_factory):
    """Weights after two epochs without any of the options."""
    return weights(train(tmp_path_factory.mktemp('whole'), root))


def log(work):
    return ''.join(path.read_text() for path in work.glob('*/*.log'))


@pytest.mark.parametrize('changes', [
    dict(optim_wrapper__constructor='DefaultOptimWrapperConstructor'),
    dict(default_hooks__runtime_info=dict(type='RuntimeInfoHook', _delete_=True)),
    dict(custom_hooks=[dict(type='EmptyCacheHook', after_iter=True), dict(type='SyncBuffersHook')]),
    dict(train_cfg=dict(by_epoch=True, max_epochs=2, _delete_=True)),
    dict(efficient_conv_bn_eval=['backbone']),
    dict(val_cfg=dict(type='ValLoop', fp16=True)),
    dict(model_wrapper_cfg=dict(type='MMDistributedDataParallel', static_graph=True)),
    dict(visualizer=dict(type='Visualizer', vis_backends=[], _delete_=True)),
], ids=lambda changes: next(iter(changes)))
def test_an_option_leaves_training_as_it_is(whole, root, tmp_path, changes):
    assert_equal(weights(train(tmp_path, root, **changes)), whole)


def test_a_compiled_model_trains_to_the_same_weights(root, tmp_path):
    plain = weights(train(tmp_path / 'plain', root, optimise_for_cpu=False))
    runner = train(tmp_path, root, compile=dict(backend='eager'))
    assert runner.plain_model._compiled_call_impl is not None
    found = weights(runner)
    assert found.keys() == plain.keys()
    assert all(torch.allclose(value, plain[name], atol=1e-6) for name, value in found.items())
    assert train(tmp_path / 'off', root, compile=False, train_cfg__max_iters=1).plain_model._compiled_call_impl is None


def test_mmengines_loop_of_epochs_resumes_at_an_epoch_exactly(root, tmp_path):
    free = dict(param_scheduler=[])
    uninterrupted = train(tmp_path / 'a', root, train_cfg=dict(EPOCHS, max_epochs=2), **free)
    train(tmp_path / 'b', root, train_cfg=dict(EPOCHS, max_epochs=1), **free)
    resumed = train(tmp_path / 'b', root, resume=True, train_cfg=dict(EPOCHS, max_epochs=2), **free)
    assert (resumed.epoch, resumed.iter) == (2, 12)
    assert_equal(weights(resumed), weights(uninterrupted))


def test_mmengines_loop_of_steps_resumes_at_a_step_exactly_and_names_checkpoints_by_it(root, tmp_path):
    options = dict(param_scheduler=[], default_hooks__checkpoint__iter_interval=3)
    uninterrupted = train(tmp_path / 'a', root, train_cfg=dict(STEPS, max_iters=9), **options)
    train(tmp_path / 'b', root, train_cfg=dict(STEPS, max_iters=7), **options)
    assert [path.name for path in sorted(tmp_path.glob('b/iter*.pth'))] == ['iter_6.pth', 'iter_7.pth']
    assert [path.name for path in tmp_path.glob('b/best*')] in (['best_acc@0.5_iter_4.pth'], ['best_acc@0.5_iter_7.pth'])
    resumed = train(tmp_path / 'b', root, resume=True, train_cfg=dict(STEPS, max_iters=9), **options)
    assert resumed.iter == 9
    assert_equal(weights(resumed), weights(uninterrupted))


def test_mmengines_checkpoint_hook_writes_safe_files_that_resume_exactly(whole, root, tmp_path):
    hook = dict(type='CheckpointHook', interval=1, max_keep_ckpts=1, save_best='acc@0.5', rule='greater', _delete_=True)
    train(tmp_path, root, default_hooks__checkpoint=hook, train_cfg__max_iters=6)
    assert torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['meta']['iter'] == 6
    resumed = train(tmp_path, root, default_hooks__checkpoint=hook, resume=True)
    assert sorted(path.name for path in tmp_path.glob('epoch*.pth')) == ['epoch_2.pth']
    assert len(list(tmp_path.glob('best_acc@0.5*.pth'))) == 1
    assert_equal(weights(resumed), whole)


def test_early_stopping_ends_a_training(root, tmp_path):
    stop = dict(type='EarlyStoppingHook', monitor='acc@0.5', rule='greater', patience=1, min_delta=10)
    runner = train(tmp_path, root, train_cfg__max_epochs=5, custom_hooks=[stop])
    assert runner.epoch == 2


def test_a_profile_is_written(root, tmp_path):
    hook = dict(type='ProfilerHook', profile_times=1, activity_with_cuda=False, json_trace_path=str(tmp_path / 'trace.json'))
    train(tmp_path, root, custom_hooks=[hook])
    assert json.loads((tmp_path / 'trace.json').read_text())['traceEvents']


def test_the_log_processor_counts_steps_where_it_is_told_to(root, tmp_path):
    processor = dict(type='LogProcessor', by_epoch=False, window_size=1, _delete_=True)
    train(tmp_path, root, train_cfg=dict(STEPS, max_iters=4), log_processor=processor)
    assert 'Iter(train) [2/4]' in log(tmp_path)


def test_dynamic_intervals_set_when_to_validate(root, tmp_path):
    train(tmp_path, root, train_cfg__max_epochs=4, train_cfg__val_interval=9, train_cfg__dynamic_intervals=[(3, 1)])
    assert sorted(path.stem for path in (tmp_path / 'pictures').iterdir()) == [f'val_epoch_00{epoch}' for epoch in (2, 3, 4)]


@pytest.mark.parametrize(('accumulated', 'factor'), [(1, 2 / 8), (2, 4 / 8)])
def test_rates_scale_with_the_expressions_of_an_update(root, tmp_path, accumulated, factor):
    """Batches of 2, rates of 1e-2 and 1e-3 for 8 expressions; the schedule goes on from the scaled ones."""
    runner = train(tmp_path, root, auto_scale_lr=dict(enable=True, base_batch_size=8), train_cfg__max_epochs=1,
                   optim_wrapper__accumulative_counts=accumulated)
    rates = [group['lr'] for group in runner.optim_wrapper.optimizer.param_groups]
    assert rates[:2] == pytest.approx([1e-2 * factor, 1e-3 * factor])
    assert (f'Rates are for 8 expressions per update, and an update has {2 * accumulated} (2 on each of 1 rank, '
            f'{counted(accumulated, "step")}): they are multiplied by {factor:g}.') in log(tmp_path)
    resumed = train(tmp_path, root, resume=True, auto_scale_lr=dict(enable=True, base_batch_size=8),
                    optim_wrapper__accumulative_counts=accumulated)
    assert [group['initial_lr'] for group in resumed.optim_wrapper.optimizer.param_groups][:2] == pytest.approx(rates[:2])


def test_rates_stay_where_scaling_is_off(root, tmp_path):
    runner = train(tmp_path, root, auto_scale_lr=dict(enable=False, base_batch_size=8), train_cfg__max_iters=1)
    assert [group['lr'] for group in runner.optim_wrapper.optimizer.param_groups][:2] == [1e-2, 1e-3]
    assert 'they are multiplied by 1, as auto_scale_lr is off.' in log(tmp_path)


@pytest.mark.parametrize('wrapper', [None, dict(static_graph=True), dict(type='MMDistributedDataParallel',
                                                                          find_unused_parameters=True)])
def test_a_distributed_wrapper_takes_its_options_on_a_cpu(whole, root, tmp_path, wrapper):
    with group_of_one(tmp_path):
        runner = train(tmp_path / 'work', root, launcher='pytorch', model_wrapper_cfg=wrapper)
        assert runner.model.device_ids is None
        assert runner.model.static_graph == bool(wrapper and 'static_graph' in wrapper)
        assert runner.model.find_unused_parameters == bool(wrapper and 'find_unused_parameters' in wrapper)
        assert_equal(weights(runner), whole)
        del runner


@pytest.mark.parametrize(('options', 'sentence'), [
    (dict(model_wrapper_cfg=dict(type='MMFullyShardedDataParallel')), 'does not keep the whole model in every process'),
    (dict(model_wrapper_cfg=dict(type='MMSeparateDistributedDataParallel')), 'a grounder has one optimizer'),
    (dict(default_hooks__checkpoint=dict(type='CheckpointHook', backend_args=dict(backend='petrel'), _delete_=True)),
     'only local folders'),
    (dict(sync_bn='torch'), 'for CUDA devices only'),
    (dict(optim_wrapper__type='ApexOptimWrapper'), 'use mmduet.MixedPrecisionOptimWrapper'),
    (dict(optim_wrapper__optimizer=dict(type='ZeroRedundancyOptimizer', optimizer_type='AdamW', lr=1e-3, _delete_=True)),
     'keeps a part of its state in each process'),
    (dict(activation_checkpointing=['backbon']), "TinyGrounder has no submodule 'backbon'; nearest: backbone"),
    (dict(optim_wrapper__type='mmduet.MixedPrecisionOptimWrapper', optim_wrapper__dtype='fp16'), 'use bf16'),
    (dict(efficient_conv_bn_eval='zzz'), "no submodule 'zzz'; it has .*backbone"),
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else '')
def test_what_cannot_work_is_refused_before_training(root, tmp_path, monkeypatch, options, sentence):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    with pytest.raises(ConfigError, match=sentence):
        RUNNERS.build(load_tiny_config(tmp_path, root, **options))


def test_what_needs_a_device_or_operators_is_refused_without():
    amp = dict(optim_wrapper=dict(type='AmpOptimWrapper', optimizer=dict(type='AdamW', lr=1e-3)))
    with pytest.raises(ConfigError, match=r"use mmduet\.MixedPrecisionOptimWrapper with dtype='bf16'"):
        refuse_options(amp, cuda=False)
    refuse_options(amp, cuda=True)
    refuse_options(dict(sync_bn='torch'), cuda=True)
    with pytest.raises(ConfigError, match=r"compiled operators, which are not installed: use sync_bn='torch'"):
        refuse_options(dict(sync_bn='mmcv'), cuda=True)


def test_hooks_are_left_out_by_none_wherever_they_stand(root, tmp_path):
    runner = RUNNERS.build(load_tiny_config(tmp_path, root, default_hooks__visualization=None, default_hooks__logger=None,
                                            default_hooks__checkpoint=None, custom_hooks=[None]))
    names = {type(hook).__name__ for hook in runner.hooks}
    assert not names & {'GroundingVisualizationHook', 'GroundingLoggerHook', 'GroundingCheckpointHook'}
    assert 'GroundingRuntimeInfoHook' in names


@pytest.mark.parametrize(('wrapper', 'inner'), [
    (dict(type='ConcatDataset'), dict(type='mmduet.GroundingDataset')),
    (dict(type='RepeatDataset', times=2), dict(type='mmduet.JointDataset'))])
def test_wrappers_of_mmengine_over_data_sets_of_ours_are_refused(wrapper, inner):
    dataset = {**wrapper, **({'datasets': [inner] * 2} if wrapper['type'] == 'ConcatDataset' else {'dataset': inner})}
    with pytest.raises(ConfigError, match=rf"^val_dataloader\.dataset: {wrapper['type']} of MMEngine wraps .*, and "
                                          rf"{inner['type'][7:]} is none: several are joined by mmduet\.JointDataset"):
        refuse_options({'val_dataloader': {'dataset': dataset}}, cuda=False)
    refuse_options({'train_dataloader': {'dataset': {**dataset, 'dataset': None, 'datasets': []}}}, cuda=False)
