import os
import signal
import time
from multiprocessing import get_context

import pytest
import torch
from mmengine.hooks import Hook

from mmduet.engine.stop_signals import StopSignals, TrainingStopped, end_workers, start_worker
from tests.engine.tiny_runs import assert_equal, train, weights
from tests.forking import Call, run_calls, run_ranks
from tests.tiny_grounder import make_data_root


class Send(Hook):
    """Sends this process a signal after a step, or at another moment."""

    def __init__(self, step, number=signal.SIGTERM, moment='after_train_iter'):
        self.step, self.number = step, number
        setattr(self, moment, self.send)

    def before_train(self, runner):
        self.runner = runner

    def send(self, runner, *_, **__):
        if runner.iter + 1 == self.step:
            os.kill(os.getpid(), self.number)


def stop(folder, root, hook, **changes):
    """Train until the hook's signal ends it; return the runner."""
    with pytest.raises(TrainingStopped) as caught:
        train(folder, root, hook, **changes)
    assert caught.value.code == hook.runner.signals.exit_code == 143
    return hook.runner


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=12)


@pytest.fixture(scope='module')
def whole(root, tmp_path_factory):
    return weights(train(tmp_path_factory.mktemp('whole'), root))


@pytest.fixture(autouse=True)
def heeded():
    """Signals as a shell in the foreground leaves them: one in the background, and nohup, let processes ignore some."""
    ordinary = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in ordinary.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_first_signal_is_noted_and_told(number):
    with StopSignals() as signals:
        assert signals.ask() is None and signals.exit_code == 0
        os.kill(os.getpid(), number)
        assert signals.ask() == number.name and signals.exit_code == 128 + number


def test_the_second_signal_acts_as_ever_and_so_does_one_afterwards():
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signals.received == signal.SIGINT
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
        assert signals.received is None and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def _work(answer):
    start_worker(lambda worker: answer.put(worker), 3)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(os.getpid(), number)
    while signal.SIGTERM in signal.sigpending():  # another that comes meanwhile would be one with it
        time.sleep(0.001)
    answer.put('still here')
    signal.pause()


def _start_and_end():
    """Start a worker, which would wait for ever, and end it as multiprocessing ends those that are left."""
    answer = get_context('fork').Queue()
    worker = get_context('fork').Process(target=_work, args=(answer, ), daemon=True)
    worker.start()
    print(answer.get(), answer.get())
    worker.terminate()
    worker.join()
    print(worker.exitcode)


def test_a_data_worker_ignores_the_signals_of_its_group_and_ends_when_its_parent_says_so():
    assert run_calls([Call(_start_and_end)])[0].stdout == '3 still here\n0\n'


def deaf(ready):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready.set()
    signal.pause()


def test_a_worker_that_lost_its_signal_is_ended_all_the_same():
    context = get_context('fork')
    ready = context.Event()
    worker = context.Process(target=deaf, args=(ready, ), daemon=True)
    worker.start()
    ready.wait()
    end_workers(patience=0.1)
    worker.join()
    assert worker.exitcode == -signal.SIGKILL


@pytest.mark.parametrize(('step', 'written'), [(2, 'iter_2.pth'), (6, 'epoch_1.pth')])
def test_a_training_ends_its_step_writes_a_checkpoint_and_goes_on_as_if_nothing_had_been(root, whole, tmp_path, step, written):
    assert stop(tmp_path, root, Send(step)).iter == step
    assert [path.name for path in tmp_path.glob('[ei]*.pth')] == [written]
    assert torch.load(tmp_path / written, weights_only=True)['meta']['owes_validation'] is (step == 6)
    assert not list(tmp_path.glob('best_*'))
    second = train(tmp_path, root, resume=True)
    assert second.iter == 12 and second.signals.exit_code == 0
    assert_equal(weights(second), whole)
    # The validation of the first epoch, which the signal came before, has been made.
    assert len(second.message_hub.get_scalar('val/acc@0.5').data[0]) == 2


def test_a_training_with_mmengines_hook_writes_a_checkpoint_too(root, tmp_path):
    hook = {'_delete_': True, 'type': 'CheckpointHook', 'interval': 1}
    assert stop(tmp_path, root, Send(2), default_hooks__checkpoint=hook).iter == 2
    assert torch.load(tmp_path / 'iter_2.pth', weights_only=True)['meta']['iter'] == 2
    assert train(tmp_path, root, resume=True, default_hooks__checkpoint=hook).iter == 12


def test_a_training_stops_after_an_update(root, tmp_path):
    assert stop(tmp_path, root, Send(1), optim_wrapper__accumulative_counts=4).iter == 4


def test_a_signal_during_the_last_validation_changes_nothing(root, tmp_path):
    runner = train(tmp_path, root, Send(12 + 1, moment='before_val_epoch'))
    assert runner.iter == 12 and runner.signals.exit_code == 0


class KilledError(Exception):
    """In the place of a SIGKILL."""


class Kill(Hook):
    def before_val_epoch(self, runner):
        raise KilledError


def test_a_validation_that_a_kill_prevented_comes_first_and_finds_the_best(root, tmp_path):
    for epoch in (1, 2):
        with pytest.raises(KilledError):
            train(tmp_path, root, Kill(), resume=epoch == 2)
        assert (tmp_path / 'epoch_1.pth').exists() and not (tmp_path / 'epoch_2.pth').exists()
    runner = train(tmp_path, root, resume=True)
    assert len(runner.message_hub.get_scalar('val/acc@0.5').data[0]) == 2
    assert len(list(tmp_path.glob('best_*'))) == 1
    again = train(tmp_path, root, resume=True)
    assert len(again.message_hub.get_scalar('val/acc@0.5').data[0]) == 1  # that of epoch 1, as the file has it


def _train_on_rank(folder, root):
    rank = int(os.environ['RANK'])
    runner = stop(folder, root, Send(2 if rank == 1 else -1), launcher='pytorch', train_cfg__max_epochs=1)
    print(rank, runner.iter, runner.signals.exit_code)


def test_all_ranks_stop_at_one_step_whichever_received_the_signal(root, tmp_path):
    ranks = run_ranks(2, _train_on_rank, tmp_path / 'work', root)
    assert [done.returncode for done in ranks] == [0, 0], ranks[0].stderr[-2000:] + ranks[1].stderr[-2000:]
    assert [done.stdout.splitlines()[-1] for done in ranks] == ['0 2 143', '1 2 143']
    assert [path.name for path in (tmp_path / 'work').glob('*.pth')] == ['iter_2.pth']
