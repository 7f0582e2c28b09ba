import random
import signal

import pytest

from mmduet.engine.config_tools import ConfigError
from mmduet.storm.damage import DAMAGES, flip_last, last_intact, truncate_last
from mmduet.storm.ledger import Ledger
from mmduet.storm.trial import Accident, Training, Trial
from tests.forking import Call, run_calls
from tests.shared_data import ROOT
from tests.tiny_grounder import make_data_root


def train_config(**options):
    return Training(config=str(ROOT / 'tests/tiny_config.py'), **options)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=6)


def test_a_training_of_a_storm_goes_on_and_writes_often(tmp_path):
    training = train_config(data_root=str(tmp_path))
    cfg, other = (training.configure(tmp_path / 'work') for _ in range(2))
    assert (cfg.work_dir, cfg.resume, cfg.launcher) == (str(tmp_path / 'work'), True, 'none')
    assert {loader.dataset.data_root for loader in (cfg.train_dataloader, cfg.val_dataloader)} == {str(tmp_path)}
    assert (cfg.train_cfg.max_epochs, cfg.optim_wrapper.accumulative_counts, cfg.custom_hooks) == (3, 1, [])
    assert (cfg.default_hooks.checkpoint.iter_interval, cfg.default_hooks.checkpoint.minutes) == (2, None)
    assert (cfg.train_dataloader.num_workers, cfg.train_dataloader.persistent_workers) == (0, False)
    assert cfg.experiment_name != other.experiment_name, 'MMEngine would give both one log'


STOPPING = dict(type='EarlyStoppingHook', monitor='acc@0.5', rule='greater', min_delta=2.0, patience=1)


@pytest.mark.parametrize(('options', 'read', 'expected'), [
    (dict(epochs=5), lambda cfg: cfg.train_cfg.max_epochs, 5),
    (dict(options=('optim_wrapper.optimizer.lr=0.5', )), lambda cfg: cfg.optim_wrapper.optimizer.lr, 0.5),
    (dict(interval=7), lambda cfg: cfg.default_hooks.checkpoint.iter_interval, 7),
    (dict(workers=2), lambda cfg: (cfg.train_dataloader.num_workers, cfg.train_dataloader.persistent_workers), (2, True)),
    (dict(workers=2), lambda cfg: cfg.val_dataloader.num_workers, 0),
    (dict(ranks=2), lambda cfg: cfg.launcher, 'pytorch'),
    (dict(accumulate=3), lambda cfg: cfg.optim_wrapper.accumulative_counts, 3),
    (dict(ema=True), lambda cfg: cfg.custom_hooks, [dict(type='EMAHook', momentum=0.1)]),
    (dict(ema=True, patience=1), lambda cfg: cfg.custom_hooks, [dict(type='EMAHook', momentum=0.1), STOPPING]),
    (dict(patience=1), lambda cfg: cfg.custom_hooks, [STOPPING])])
def test_every_option_of_a_training_reaches_its_config(tmp_path, options, read, expected):
    assert read(train_config(data_root=str(tmp_path), **options).configure(tmp_path / 'work')) == expected


def test_patches_and_options_come_before_what_a_storm_sets(tmp_path):
    (tmp_path / 'large.py').write_text('def change(cfg):\n    cfg.train_dataloader.update(batch_size=3, num_workers=4)\n')
    training = train_config(data_root=str(tmp_path), patches=(str(tmp_path / 'large.py'), ),
                            options=('optim_wrapper.optimizer.lr=0.5', 'train_cfg.max_epochs=9'))
    cfg = training.configure(tmp_path / 'work')
    assert (cfg.train_dataloader.batch_size, cfg.optim_wrapper.optimizer.lr) == (3, 0.5)
    assert (cfg.train_dataloader.num_workers, cfg.train_cfg.max_epochs) == (0, 3)


def test_a_config_and_data_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='there is no config tiny_confg'):
        Training(config='tiny_confg', data_root=str(tmp_path)).configure(tmp_path)
    with pytest.raises(FileNotFoundError, match='there is no patch plan'):
        train_config(data_root=str(tmp_path), patches=('plan', )).configure(tmp_path)
    with pytest.raises(ConfigError, match=r'model\.hed: '):
        train_config(data_root=str(tmp_path), options=('model.hed=1', )).configure(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'there is no data root .*gone'):
        train_config(data_root=str(tmp_path / 'gone')).configure(tmp_path)


@pytest.mark.parametrize(('wrong', 'message'), [
    (dict(at=0), 'operations are counted from 1, got 0'),
    (dict(at=1, error='ENOSPCE'), "this system has no error 'ENOSPCE'; nearest: ENOSPC"),
    (dict(at=1, error='strerror'), "this system has no error 'strerror'"),
    (dict(at=1, error=''), "this system has no error ''")])
def test_an_accident_that_cannot_happen_is_refused_before_anything_is_trained(wrong, message):
    with pytest.raises(ValueError, match=message):
        Accident(**wrong)


def _die_and_damage(folder, root):
    training, ledger = train_config(data_root=str(root), epochs=2), Ledger(folder / 'ledger')
    assert Trial(training, folder / 'work', ledger).wait() == [0]
    operations = ledger.steps('finished')[0]
    assert Trial(training, folder / 'other', ledger, Accident(operations)).wait() == [-9]
    assert Trial(training, folder / 'third', ledger, Accident(operations // 2, 'ENOSPC')).wait() == [3]
    assert 'cannot be written: no room is left on the disk' in (folder / 'log').read_text()
    for name, damage in DAMAGES.items():
        before = last_intact(folder / 'work')
        damage(folder / 'work', random.Random(0))
        assert (last_intact(folder / 'work') < before) == (damage in (truncate_last, flip_last)), name
        assert Trial(training, folder / 'work', ledger).wait() == [0]


def test_trials_die_fail_and_go_on_after_damages(root, tmp_path):
    done, = run_calls([Call(_die_and_damage, (tmp_path, root))])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def _kill(folder, root):
    training, ledger = train_config(data_root=str(root), epochs=50), Ledger(folder / 'ledger')
    for number, codes in ((signal.SIGKILL, {-signal.SIGKILL}), (signal.SIGTERM, {-signal.SIGTERM, 128 + signal.SIGTERM})):
        trial = Trial(training, folder / 'work', ledger)
        assert not trial.ended()
        trial.kill(number)
        code, = trial.wait()
        assert code in codes and trial.ended()
        trial.kill(number)  # nobody is there any more
    assert ledger.steps('finished') == []


def test_a_trial_can_be_killed_and_stopped(root, tmp_path):
    done, = run_calls([Call(_kill, (tmp_path, root))])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
