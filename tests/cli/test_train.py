from pathlib import Path

import pytest
import torch

from mmduet.cli import running, train
from tests.run_tool import run_tool
from tests.tiny_grounder import make_data_root

ROOT = Path(__file__).resolve().parents[2]
CONFIG = str(ROOT / 'tests/tiny_config.py')


def configure(*arguments):
    return train.configure(train.parse_args([CONFIG, *map(str, arguments)]))


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=4, splits=('train', 'val', 'testA'))


def run(monkeypatch, *arguments):
    monkeypatch.setattr('sys.argv', ['train.py', *map(str, arguments)])
    return train.main()


def test_flags_change_the_config(root):
    cfg = configure('--data-root', root, '--train-splits', 'train', 'val', '--val-splits', 'testA', '--test-splits', 'val',
                    '--amp', 'bf16', '--ema', '--accumulate', 4, '--auto-scale-lr', '--seed', 7,
                    '--max-iters', 9, '--max-epochs', 3,
                    '--launcher', 'none', '--cfg-options', 'model.dropout=0.5', 'auto_scale_lr.base_batch_size=4')
    assert cfg.train_dataloader.dataset.splits == ['train', 'val']
    assert cfg.val_dataloader.dataset.splits == ['testA']
    assert cfg.test_dataloader.dataset.splits == ['val']
    assert {cfg[f'{name}_dataloader'].dataset.data_root for name in ('train', 'val', 'test')} == {str(root)}
    assert cfg.optim_wrapper.type == 'mmduet.MixedPrecisionOptimWrapper'
    assert (cfg.optim_wrapper.dtype, cfg.optim_wrapper.accumulative_counts) == ('bf16', 4)
    assert cfg.custom_hooks == [{'type': 'EMAHook', 'ema_type': 'MomentumAnnealingEMA'}]
    assert cfg.auto_scale_lr == {'enable': True, 'base_batch_size': 4}
    assert cfg.randomness == {'seed': 7}
    kept = configure('--data-root', root, '--seed', 7, '--cfg-options', 'randomness.deterministic=True')
    assert kept.randomness == {'deterministic': True, 'seed': 7}
    assert (cfg.train_cfg.max_iters, cfg.train_cfg.max_epochs) == (9, 3)
    assert cfg.model.dropout == 0.5
    assert cfg.work_dir == 'work_dirs/tiny_config'


def test_another_number_of_epochs_stretches_the_schedule_and_says_so(root, tmp_path, monkeypatch):
    said = []
    cfg = train.configure(train.parse_args([CONFIG, '--max-epochs', '4']), said)
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler[0].milestones) == (4, [2])
    assert said == ['--max-epochs: 4 epochs instead of 2, so that the schedule is stretched: param_scheduler.0.milestones '
                    '[1] -> [2]. --cfg-options train_cfg.max_epochs=4 leaves it as it is']
    left = configure('--cfg-options', 'train_cfg.max_epochs=4')
    assert (left.train_cfg.max_epochs, left.param_scheduler[0].milestones) == (4, [1])
    stated = configure('--max-epochs', 4, '--cfg-options', 'param_scheduler.0.milestones=[3]')
    assert stated.param_scheduler[0].milestones == [3]
    assert run(monkeypatch, CONFIG, '--data-root', root, '--work-dir', tmp_path, '--max-epochs', 4, '--max-iters', 1) == 0
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert f'WARNING - {said[0]}' in log
    assert '8 steps in 4 epochs of 2, stopped after 1; the schedule is that of all' in log


@pytest.mark.parametrize(('hooks', 'kept'), [
    ("[{'type': 'EMAHook'}]", 1), ("[{'type': 'mmengine.hooks.EMAHook', 'momentum': 0.1}]", 1),
    ("[{'type': 'EarlyStoppingHook', 'monitor': 'miou'}]", 2), ('[]', 1), ('[None]', 2)])
def test_a_moving_average_is_added_only_where_the_config_has_none(hooks, kept):
    cfg = configure('--ema', '--cfg-options', f'custom_hooks={hooks}')
    assert len(cfg.custom_hooks) == kept
    assert sum(hook is not None and 'EMAHook' in hook['type'] for hook in cfg.custom_hooks) == 1


def test_resume_takes_a_path_or_none():
    assert (configure('--resume').resume, configure('--resume').load_from) == (True, None)
    assert (configure('--resume', 'a.pth').resume, configure('--resume', 'a.pth').load_from) == (True, 'a.pth')
    assert (configure('--load-from', 'a.pth').resume, configure('--load-from', 'a.pth').load_from) == (False, 'a.pth')


def test_options_that_are_given_twice_add_up_and_the_last_of_a_key_holds():
    cfg = configure('--cfg-options', 'model.dropout=0.5', 'train_cfg.max_epochs=3', '--cfg-options', 'model.dropout=0.1',
                    'val_dataloader.dataset.splits=val,testA')
    assert (cfg.model.dropout, cfg.train_cfg.max_epochs) == (0.1, 3)
    assert cfg.val_dataloader.dataset.splits == ['val', 'testA']


@pytest.mark.parametrize(('flags', 'batch', 'rate', 'scaling'), [
    (['--batch-size', 7], 7, 1e-2, {'enable': True, 'base_batch_size': 4}),
    (['--lr', 0.3], 2, 0.3, None),
    (['--lr', 0.3, '--auto-scale-lr'], 2, 0.3, {'enable': True, 'base_batch_size': 4})])
def test_batch_and_rate_are_taken_as_they_are_unless_the_rate_is_to_be_scaled(flags, batch, rate, scaling):
    options = ['auto_scale_lr={"enable": True, "base_batch_size": 4}']
    cfg = configure(*flags, '--cfg-options', *options)
    assert (cfg.train_dataloader.batch_size, cfg.optim_wrapper.optimizer.lr, cfg.auto_scale_lr) == (batch, rate, scaling)


def test_changes_at_resume_are_refused_unless_they_are_asked_for():
    assert configure('--resume').resume_changed is False
    assert configure('--resume', '--resume-changed').resume_changed is True


@pytest.mark.parametrize(('arguments', 'sentence'), [
    (['--resume', 'a', '--load-from', 'b'], 'give one of them'),
    (['--max-iters', '0'], 'must be at least 1, got 0'),
    (['--amp', 'int8'], 'invalid choice'),
    (['--batch-size', '0'], 'must be at least 1, got 0'),
    (['--lr', '0'], 'must be above 0, got 0'),
    (['--lr', 'nan'], 'must be above 0, got nan'),
    (['--lr', 'inf'], 'must be above 0, got inf'),
    (['--resume-changed'], '--resume-changed says what --resume may take: give both'),
])
def test_flags_that_make_no_sense_are_refused(capsys, arguments, sentence):
    with pytest.raises(SystemExit):
        train.parse_args([CONFIG, *arguments])
    assert sentence in capsys.readouterr().err


def test_a_training_stops_at_the_limit_and_resumes(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, CONFIG, '--data-root', root, '--max-iters', 1)
    assert torch.load('work_dirs/tiny_config/iter_1.pth', weights_only=True)['meta']['iter'] == 1
    run(monkeypatch, CONFIG, '--data-root', root, '--resume', '--resume-changed', '--amp', 'bf16', '--ema')
    assert torch.load('work_dirs/tiny_config/epoch_2.pth', weights_only=True)['meta']['iter'] == 4


SENDING = """
import os
import signal
from mmengine.hooks import Hook
from mmduet.registry import HOOKS

@HOOKS.register_module()
class Sends(Hook):
    def after_train_iter(self, *_, **__):
        os.kill(os.getpid(), signal.SIGTERM)

def change(cfg):
    cfg.custom_hooks = [{'type': 'mmduet.Sends'}]
"""


def test_a_signal_ends_it_with_a_checkpoint_and_the_code_of_the_signal(root, tmp_path):
    (tmp_path / 'sending.py').write_text(SENDING)
    done = run_tool('train', CONFIG, '--patch', tmp_path / 'sending.py', '--data-root', root, '--work-dir', tmp_path / 'work')
    assert done.returncode == 143, done.stderr[-2000:]
    assert 'SIGTERM: the step ends and a checkpoint is written; again to stop at once' in done.stderr
    assert [path.name for path in (tmp_path / 'work').glob('*.pth')] == ['iter_1.pth']


KILLING = """
import multiprocessing
import os
import signal
from mmengine.hooks import Hook
from mmduet.registry import HOOKS

@HOOKS.register_module()
class Kills(Hook):
    def after_train_iter(self, *_, **__):
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

def change(cfg):
    cfg.custom_hooks = [{'type': 'mmduet.Kills'}]
    cfg.train_dataloader.update(num_workers=1, persistent_workers=True)
"""


def test_a_data_worker_that_is_killed_ends_it_with_a_sentence(root, tmp_path):
    (tmp_path / 'killing.py').write_text(KILLING)
    done = run_tool('train', CONFIG, '--patch', tmp_path / 'killing.py', '--data-root', root, '--work-dir', tmp_path / 'work')
    assert done.returncode == 1 and 'Traceback' not in done.stderr, done.stderr[-2000:]
    assert done.stderr.splitlines()[-1] == (
        'error: a data worker was killed, probably for memory: take fewer num_workers or a smaller cache_mb')


@pytest.mark.parametrize(('arguments', 'sentence'), [
    (['configs/transvg/nothing.py'], 'error: there is no config configs/transvg/nothing.py'),
    ([CONFIG, '--data-root', 'nowhere'], 'error: there is no data root nowhere'),
    ([CONFIG, '--cfg-options', 'modl.x=1'], "error: modl.x: the config has no 'modl'; nearest: model"),
    ([CONFIG, '--cfg-options', 'model.type=TransVGG'], "error: model.type: no registry knows 'TransVGG'; nearest: mmd"),
    ([CONFIG, '--cfg-options', 'optim_wrapper.optimizer.type=AdamWW'], "optimizer.type: no registry knows 'AdamWW'"),
    ([CONFIG, '--train-splits', 'nope'], 'nope'),
    ([CONFIG, '--auto-scale-lr'], 'error: --auto-scale-lr needs the expressions per update'),
    ([CONFIG, '--cfg-options', 'optim_wrapper.paramwise_cfg.norm_decay=0'], 'paramwise_cfg does not take'),
    ([CONFIG, '--cfg-options', 'default_hooks.checkpoint.save_best=acc@0.95'], 'no evaluator of the validation gives'),
    ([CONFIG, '--cfg-options', 'train_dataloader.dataset.pipeline.9.prob=1'], 'error: --cfg-options train_dataloader.dataset'),
    ([CONFIG, '--cfg-options', 'model.dropout=2'], 'error: dropout probability has to be between 0 and 1, but got 2'),
    ([CONFIG, '--load-from', 'nope.pth'], 'error: there is no checkpoint nope.pth'),
])
def test_wrong_input_ends_in_one_sentence(root, tmp_path, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    if '--data-root' not in arguments:
        arguments = [*arguments, '--data-root', root]
    assert run(monkeypatch, *arguments) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith('error: ') and sentence in said


def test_the_cores_are_divided_among_the_processes():
    environ = {'LOCAL_WORLD_SIZE': '1000'}
    running.set_threads(environ)
    assert environ == {'LOCAL_WORLD_SIZE': '1000', 'MKL_NUM_THREADS': '1', 'OMP_NUM_THREADS': '1'}


def test_a_number_of_threads_that_is_set_holds_for_both_pools():
    environ = {'MKL_NUM_THREADS': '3'}
    running.set_threads(environ)
    assert environ == {'MKL_NUM_THREADS': '3', 'OMP_NUM_THREADS': '3'}


@pytest.mark.parametrize(('option', 'said'), [
    ('train_dataloader.dataset.pipeline.1.prob=2', 'error: prob must be in [0, 1], got 2 (RandomFlip)'),
    ('optim_wrapper.accumulative_counts=0', '_accumulative_counts at least greater than or equal to 1 (OptimWrapper)'),
    ('train_dataloader.num_workers=-1', 'num_workers option should be non-negative'),
    ('train_dataloader.batch_size=99', 'the training data gives no batch: 4 expressions, 1 process, batches of 99')])
def test_a_value_that_makes_no_sense_is_a_sentence_also_where_it_is_read_when_training_starts(root, tmp_path, option, said):
    done = run_tool('train', CONFIG, '--data-root', root, '--work-dir', tmp_path / 'w', '--cfg-options', option, cwd=tmp_path)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert said in done.stderr.splitlines()[-1]
