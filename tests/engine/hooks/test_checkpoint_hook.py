from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from mmduet.engine import CheckpointError
from mmduet.engine.checkpoint import read_record
from mmduet.engine.config_tools import ConfigError
from mmduet.engine.hooks.checkpoint_hook import GroundingCheckpointHook, find_metric
from mmduet.registry import RUNNERS
from tests.engine.tiny_runs import train
from tests.tiny_grounder import load_tiny_config, make_data_root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=4)


def build(work, root, **changes):
    return RUNNERS.build(load_tiny_config(work, root, train_cfg__max_epochs=3, **changes))


def test_only_the_last_checkpoints_and_the_best_are_kept(root, tmp_path):
    build(tmp_path, root, default_hooks__checkpoint__max_keep_ckpts=1).train()
    assert sorted(path.name for path in tmp_path.glob('epoch_*.pth')) == ['epoch_3.pth']
    assert len(list(tmp_path.glob('best_*.pth'))) == 1


def test_all_are_kept_on_demand_and_the_interval_is_heeded(root, tmp_path):
    build(tmp_path, root, default_hooks__checkpoint__max_keep_ckpts=-1, default_hooks__checkpoint__interval=2).train()
    assert sorted(path.name for path in tmp_path.glob('epoch_*.pth')) == ['epoch_2.pth', 'epoch_3.pth']


def test_the_old_checkpoint_stays_until_the_new_one_is_complete(root, tmp_path):
    (tmp_path / 'epoch_2.pth').mkdir()
    with pytest.raises(CheckpointError, match=r'epoch_2\.pth is a folder, .*\. The checkpoints before it are intact'):
        build(tmp_path, root, default_hooks__checkpoint__max_keep_ckpts=1).train()
    assert torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['meta']['epoch'] == 1


def test_a_checkpoint_between_two_updates_waits_for_the_next(root, tmp_path):
    build(tmp_path, root, default_hooks__checkpoint__iter_interval=1, default_hooks__checkpoint__interval=9,
          default_hooks__checkpoint__max_keep_ckpts=-1, optim_wrapper__accumulative_counts=3).train()
    assert sorted(path.name for path in tmp_path.glob('iter_*.pth')) == ['iter_3.pth']


@pytest.mark.parametrize(('minutes', 'written'), [(1e-12, [10, 11, 13, 14, 15, 16, 17]), (1e9, []), (None, [])])
def test_checkpoints_are_written_within_an_epoch_where_the_minutes_have_passed(tmp_path, minutes, written):
    root = make_data_root(tmp_path / 'data', count=12)  # six steps an epoch
    build(tmp_path / 'work', root, default_hooks__checkpoint__minutes=minutes, default_hooks__checkpoint__interval=9,
          default_hooks__checkpoint__max_keep_ckpts=-1).train()
    assert sorted(path.name for path in (tmp_path / 'work').glob('iter_*.pth')) == [f'iter_{step}.pth' for step in written]


class LastToSee(Hook):
    """A user's hook that sees a validation last of all."""

    priority = 'LOWEST'

    def __init__(self):
        self.recorded, self.seen = [], []

    def after_val_epoch(self, runner, metrics=None):
        runner.writer.settle()
        self.recorded.append(read_record(Path(runner.work_dir))['validated'])
        self.seen.append(runner.iter)
        if len(self.seen) == 2:
            raise KeyboardInterrupt


def test_a_validation_counts_as_made_once_all_hooks_have_seen_it(root, tmp_path):
    hook = LastToSee()
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, root, hook)
    first, second = hook.seen
    assert hook.recorded == [None, first]
    resumed = LastToSee()
    train(tmp_path, root, resumed, resume=True)
    assert resumed.seen == [second], 'a validation that was not seen to its end was lost'
    assert read_record(tmp_path)['validated'] == second


def test_what_a_kill_left_half_written_is_removed(root, tmp_path):
    (tmp_path / '.epoch_1.pth.77.partial').write_bytes(b'half')
    build(tmp_path, root, train_cfg__max_iters=1).train()
    assert not list(tmp_path.glob('.*partial'))


def test_a_resumed_run_deletes_what_the_first_kept_and_remembers_the_best(root, tmp_path):
    build(tmp_path, root, train_cfg__max_iters=2, default_hooks__checkpoint__max_keep_ckpts=1).train()
    runner = build(tmp_path, root, resume=True, default_hooks__checkpoint__max_keep_ckpts=1)
    hook = next(hook for hook in runner.hooks if isinstance(hook, GroundingCheckpointHook))
    runner.train()
    assert sorted(path.name for path in tmp_path.glob('epoch_*.pth')) == ['epoch_3.pth']
    assert hook._best is not None
    assert len(list(tmp_path.glob('best_*.pth'))) == 1


@pytest.mark.parametrize(('changes', 'said'), [
    (dict(default_hooks__checkpoint__save_best='acc@0.5'), 'by miou'),
    (dict(default_hooks__checkpoint__rule='less'), "by the rule 'greater'"),
    (dict(val_dataloader__dataset__splits=['train']), 'on other validation data'),
    (dict(default_hooks__checkpoint__save_best='acc@0.5', val_dataloader__dataset__splits=['train']),
     'by miou and on other validation data'), ({}, None)])
def test_a_best_by_another_measure_is_not_compared_with_and_stays(root, tmp_path, changes, said):
    measure = dict(default_hooks__checkpoint__save_best='miou')
    build(tmp_path, root, **measure, train_cfg__max_iters=2).train()
    before = read_record(tmp_path)['best']
    assert before['score'] > 0
    # Nothing would be better than that.
    record, score = tmp_path / 'checkpoints.json', '1.5' if 'less' in str(changes) else '99.5'
    record.write_text(record.read_text().replace(str(before['score']), score))
    build(tmp_path, root, resume=True, **{**measure, **changes}).train()
    best, log = read_record(tmp_path)['best'], ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert (tmp_path / before['file']).is_file() and (tmp_path / best['file']).is_file()
    if said is None:
        assert best['file'] == before['file'] and 'was the best' not in log
    else:
        assert best['file'] != before['file'] and best['score'] != float(score)
        assert f'{before["file"]} was the best {said}: it stays, and the best by {best["metric"]} is found from here on.' in log


def test_a_record_that_cannot_be_read_does_not_stop_training(root, tmp_path):
    build(tmp_path, root, train_cfg__max_iters=2).train()
    (tmp_path / 'checkpoints.json').write_text('{"kept": ')
    build(tmp_path, root, resume=True, default_hooks__checkpoint__max_keep_ckpts=1).train()
    assert sorted(path.name for path in tmp_path.glob('epoch_*.pth')) == ['epoch_1.pth', 'epoch_3.pth']


def test_a_metric_is_found_with_or_without_its_prefix_and_exactly_first():
    metrics = {'val/acc@0.5': 1.0, 'acc@0.5': 2.0, 'grounding/miou': 3.0}
    assert find_metric(metrics, 'acc@0.5') == 2.0
    assert find_metric(metrics, 'miou') == 3.0
    with pytest.raises(ConfigError, match=r'is not among the metrics: val/acc@0\.5, acc@0\.5, grounding/miou'):
        find_metric(metrics, 'acc@0.9')


def test_a_metric_that_two_evaluators_give_is_named_in_full_or_refused():
    metrics = {'strict/acc': 1.0, 'loose/acc': 2.0, 'loose/val/acc': 3.0}
    assert find_metric(metrics, 'loose/acc') == 2.0
    assert find_metric(metrics, 'val/acc') == 3.0
    with pytest.raises(ConfigError, match=r"'acc' is the name of several metrics: say which of strict/acc, loose/acc$"):
        find_metric(metrics, 'acc')


@pytest.mark.parametrize('arguments', [dict(rule='more'), dict(interval=0), dict(iter_interval=0), dict(minutes=0),
                                       dict(minutes=float('nan')), dict(max_keep_ckpts=0)])
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match='must be'):
        GroundingCheckpointHook(**arguments)
