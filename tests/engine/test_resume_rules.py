"""What may change between a checkpoint and the training that resumes it."""
import pytest
import torch
from mmengine.optim import MultiStepLR, OptimWrapper, ReduceOnPlateauLR

from mmduet.engine import CheckpointError
from mmduet.engine.config_tools import load_config
from mmduet.engine.resume_rules import (
    Difference,
    compare,
    compare_vocabularies,
    describe_training,
    schedule_settings,
    take_schedules,
)
from tests.engine.tiny_runs import assert_equal, train, train_distilled, weights
from tests.tiny_grounder import make_data_root

EMA = [dict(type='EMAHook', ema_type='MomentumAnnealingEMA')]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=4)


def rates(runner):
    return [group['lr'] for group in runner.optim_wrapper.param_groups]


@pytest.mark.parametrize(('key', 'rule'), [
    ('train_dataloader.num_workers', 'silent'), ('train_dataloader.dataset.data_root', 'silent'),
    ('train_dataloader.dataset.pipeline.0.cache_mb', 'silent'), ('model.pretrained', 'silent'),
    ('model.student.text_encoder.pretrained', 'silent'), ('train_cfg.max_iters', 'silent'),
    ('train_cfg.val_interval', 'silent'), ('optim_wrapper.optimizer.fused', 'silent'),
    ('train_cfg.max_epochs', 'listed'), ('optim_wrapper.dtype', 'listed'), ('optim_wrapper.clip_grad.max_norm', 'listed'),
    ('sync_bn', 'listed'), ('world_size', 'listed'), ('precision', 'listed'), ('precision of teacher', 'listed'),
    ('custom_hooks.0.epochs', 'listed'), ('optim_wrapper.type', 'listed'),
    ('optim_wrapper.optimizer.lr', 'refused'), ('optim_wrapper.accumulative_counts', 'refused'),
    ('train_dataloader.batch_size', 'refused'), ('train_dataloader.dataset.splits', 'refused'),
    ('train_dataloader.dataset.pipeline.1.prob', 'refused'), ('train_dataloader.sampler.shuffle', 'refused'),
    ('param_scheduler.0.milestones', 'refused'), ('model.student.fusion.num_layers', 'refused'),
    ('model.teacher.pretrained', 'refused'), ('model.head.terms.contrast.weight', 'refused'),
    ('randomness.seed', 'refused'), ('auto_scale_lr.enable', 'refused'), ('model.head.terms.mine.fused', 'refused'),
    ('model.student.timeout', 'refused'), ('model.head.terms.mine.cache', 'refused')])
def test_the_rule_of_a_key(key, rule):
    difference = Difference(key, '1', '2')
    assert {'silent': difference.silent, 'listed': difference.listed and not difference.silent,
            'refused': not difference.silent and not difference.listed}[rule]


def test_a_dumped_config_is_the_same_training(tmp_path):
    cfg = load_config('configs/duet/transvg_duet_refshapes.py')
    cfg.dump(tmp_path / 'dumped.py')
    before, now = describe_training(cfg), describe_training(load_config(tmp_path / 'dumped.py'))
    assert compare(before, now) == []
    assert now['model.student.type'] == 'TransVG'
    now['train_dataloader.batch_size'] = '3'
    del now['model.head.warmup_steps']
    assert [str(difference) for difference in compare(before, now)] == [
        'model.head.warmup_steps: 0 -> not there', 'train_dataloader.batch_size: 16 -> 3']


def log_of(folder):
    return ''.join(path.read_text() for path in folder.glob('*/*.log'))


def retell(path, **machine):
    """Let a checkpoint say that it was written on another machine."""
    saved = torch.load(path, weights_only=True)
    assert saved['meta']['machine'].keys() >= machine.keys()
    saved['meta']['machine'].update(machine)
    torch.save(saved, path)


def test_a_machine_that_chooses_another_precision_or_has_other_processes_is_listed(root, tmp_path):
    train_distilled(tmp_path, root, train_cfg__max_iters=1)
    retell(tmp_path / 'iter_1.pth', world_size='8', precision='float16', **{'precision of teacher': 'bfloat16'})
    train_distilled(tmp_path, root, resume=True, train_cfg__max_iters=2)
    assert ('and is taken:\n  world_size: 8 -> 1\n  precision: float16 -> float32\n'
            '  precision of teacher: bfloat16 -> float32\n') in log_of(tmp_path)


def test_a_precision_that_the_config_names_is_listed_once(root, tmp_path):
    train(tmp_path, root, train_cfg__max_iters=1)
    mixed = dict(optim_wrapper__type='mmduet.MixedPrecisionOptimWrapper', optim_wrapper__dtype='bf16')
    train(tmp_path, root, resume=True, train_cfg__max_iters=3, **mixed)
    assert 'optim_wrapper.dtype: not there -> ' in log_of(tmp_path) and 'precision: ' not in log_of(tmp_path)
    assert torch.load(tmp_path / 'iter_3.pth', weights_only=True)['meta']['machine'] == {
        'world_size': '1', 'precision': 'bfloat16'}


def test_a_moving_average_is_neither_dropped_nor_begun_in_silence(root, tmp_path):
    train(tmp_path, root, train_cfg__max_iters=3, custom_hooks=EMA)
    with pytest.raises(CheckpointError, match=r'moving average of the weights .*: averaged -> not averaged\nUndo'):
        train(tmp_path, root, resume=True)
    saved = torch.load(tmp_path / 'iter_3.pth', weights_only=True)
    trained = saved['ema_state_dict']['module.box_head.weight']
    assert not torch.equal(trained, saved['state_dict']['box_head.weight'])
    runner = train(tmp_path, root, resume=True, resume_changed=True, train_cfg__max_iters=3)
    assert torch.equal(runner.plain_model.box_head.weight, trained)
    with pytest.raises(CheckpointError, match='not averaged -> averaged'):
        train(tmp_path, root, resume=True, custom_hooks=EMA, load_from=str(_without_average(tmp_path, saved)))


def _without_average(folder, saved):
    del saved['ema_state_dict']
    torch.save(saved, folder / 'plain.pth')
    return folder / 'plain.pth'


def test_a_changed_rate_is_refused_and_with_resume_changed_it_holds(root, tmp_path):
    train(tmp_path, root, train_cfg__max_iters=1)
    with pytest.raises(CheckpointError, match=r'optim_wrapper\.optimizer\.lr: 0\.01 -> 0\.05'):
        train(tmp_path, root, resume=True, optim_wrapper__optimizer__lr=0.05)
    runner = train(tmp_path, root, resume=True, resume_changed=True, train_cfg__max_iters=2, optim_wrapper__optimizer__lr=0.05,
                   optim_wrapper__optimizer__weight_decay=0.5)
    assert rates(runner)[:2] == pytest.approx([0.005, 0.0005])  # the schedule divides by ten after the first epoch
    assert {group['weight_decay'] for group in runner.optim_wrapper.param_groups} == {0.5}


def test_a_changed_seed_holds_in_every_part_of_the_training_and_of_its_next_resume(root, tmp_path):
    train(tmp_path, root, train_cfg__max_iters=1, randomness=dict(seed=1))
    with pytest.raises(CheckpointError, match=r'randomness\.seed: 1 -> 2'):
        train(tmp_path, root, resume=True, train_cfg__max_iters=2, randomness=dict(seed=2))
    resumed = train(tmp_path, root, resume=True, train_cfg__max_iters=2, randomness=dict(seed=2), resume_changed=True)
    assert resumed.seed == resumed.train_dataloader.sampler.seed == 2
    assert train(tmp_path, root, resume=True, train_cfg__max_iters=3, randomness=dict(seed=2)).seed == 2
    assert 'value of random seed' not in log_of(tmp_path)


def test_a_changed_schedule_is_refused_and_with_resume_changed_it_goes_on_from_the_rate_reached(root, tmp_path):
    schedule = dict(type='MultiStepLR', by_epoch=True, gamma=0.1)
    train(tmp_path, root, train_cfg__max_epochs=1, param_scheduler=[dict(schedule, milestones=[1])])
    with pytest.raises(CheckpointError, match=r'param_scheduler\.0\.milestones: \[1\] -> \[1, 2\]'):
        train(tmp_path, root, resume=True, train_cfg__max_epochs=3, param_scheduler=[dict(schedule, milestones=[1, 2])])
    runner = train(tmp_path, root, resume=True, resume_changed=True, train_cfg__max_epochs=3,
                   param_scheduler=[dict(schedule, milestones=[1, 2])])
    assert rates(runner)[0] == pytest.approx(1e-4)


def test_more_epochs_are_taken_and_listed_and_equal_a_training_that_was_to_have_them(root, tmp_path):
    train(tmp_path / 'parts', root, train_cfg__max_epochs=1)
    resumed = train(tmp_path / 'parts', root, resume=True, train_cfg__max_epochs=3, train_dataloader__num_workers=1)
    assert resumed.epoch == 3
    text = ''.join(path.read_text() for path in tmp_path.glob('parts/*/*.log'))
    assert 'and is taken:\n  train_cfg.max_epochs: 1 -> 3\n' in text
    assert rates(resumed)[0] == pytest.approx(1e-3)
    assert_equal(weights(resumed), weights(train(tmp_path / 'whole', root, train_cfg__max_epochs=3)))


@pytest.mark.parametrize(('end', 'then', 'steps', 'expected'), [
    (2, 4, 2, [0.01, 0.01, 0.001, 0.0001]),  # ended with the training, which goes on: the step at its end is made up for
    (2, 2, 3, [0.01, 0.01, 0.01]),  # an end of its own stays
    (4, 4, 1, [0.01, 0.01, 0.001, 0.0001])])
def test_a_schedule_that_ended_with_the_training_goes_on_with_it(end, then, steps, expected):
    def make(end):
        wrapper = OptimWrapper(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.01))
        return wrapper, MultiStepLR(wrapper, milestones=[2, 3], gamma=0.1, end=end)
    wrapper, schedule = make(end)
    seen = [wrapper.param_groups[0]['lr']]
    for _ in range(steps):
        wrapper.optimizer.step()
        schedule.step()
        seen.append(wrapper.param_groups[0]['lr'])
    resumed, further = make(then)
    settings = schedule_settings([further])
    resumed.load_state_dict(wrapper.state_dict())
    further.load_state_dict(schedule.state_dict())
    take_schedules([further], settings)
    seen[-1] = resumed.param_groups[0]['lr']
    while len(seen) < len(expected):
        resumed.optimizer.step()
        further.step()
        seen.append(resumed.param_groups[0]['lr'])
    assert seen[:len(expected)] == pytest.approx(expected)


@pytest.mark.parametrize(('changed', 'kept'), [
    ({}, True), (dict(patience=5), True), (dict(monitor='miou'), False), (dict(rule='less'), False)])
def test_a_plateau_of_another_metric_is_looked_for_anew(changed, kept):
    def make(**settings):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.01)
        return ReduceOnPlateauLR(optimizer, **{'monitor': 'acc@0.5', 'rule': 'greater', 'patience': 3, **settings})
    first, resumed = make(), make(**changed)
    for value in (0.7, 0.6):
        first.step({'acc@0.5': value})
    settings = schedule_settings([resumed])
    resumed.load_state_dict(first.state_dict())
    take_schedules([resumed], settings)
    assert (resumed.best, resumed.num_bad_epochs) == ((0.7, 1) if kept else (make(**changed).best, 0))


def test_terms_in_another_order_are_refused_as_the_optimizer_knows_parameters_by_their_order(tmp_path, root):
    terms = load_config('tests/tiny_cached_config.py').model.head.terms
    train_distilled(tmp_path, root, train_cfg__max_iters=1)
    with pytest.raises(CheckpointError, match=r'parameters in another order, head\.\S+ where head\.\S+ is now'):
        train_distilled(tmp_path, root, resume=True, train_cfg__max_iters=2, resume_changed=True,
                        model__head__terms=dict(_delete_=True, **dict(reversed(terms.items()))))


@pytest.mark.parametrize(('before', 'now', 'said'), [
    ('the\nred\n', 'the\nred', []), ('the\nred', 'the\nblue', ["line 2 of the vocabulary: 'red' -> 'blue'"]),
    ('the', 'the\nred', ["line 2 of the vocabulary: None -> 'red'"]), (None, None, []),
    ('the\nred', None, ['vocabulary: 2 lines -> none'])])
def test_vocabularies_are_compared_by_their_content(before, now, said):
    assert [str(difference) for difference in compare_vocabularies(before, now)] == said


def test_another_vocabulary_is_refused_whatever_its_path(root, tmp_path):
    train(tmp_path, root, train_cfg__max_iters=1)
    saved = torch.load(tmp_path / 'iter_1.pth', weights_only=True)
    saved['meta']['vocabulary'] = 'the\nred\n'
    torch.save(saved, tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match=r'other settings .*\n  vocabulary: 2 lines -> none\nUndo'):
        train(tmp_path, root, resume=True, load_from=str(tmp_path / 'other.pth'), train_cfg__max_iters=2)
    train(tmp_path, root, resume=True, load_from=str(tmp_path / 'other.pth'), train_cfg__max_iters=2, resume_changed=True)
    assert 'vocabulary: 2 lines -> none' in log_of(tmp_path)
