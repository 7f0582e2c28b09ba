"""Gradients summed over several steps: wherever a run stops, the resumed one equals the one that did not, bit for bit."""
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from mmengine.hooks import EMAHook, Hook

from mmduet.engine.optim import MixedPrecisionOptimWrapper
from mmduet.engine.stop_signals import TrainingStopped
from mmduet.registry import OPTIM_WRAPPERS
from tests.engine import tiny_runs
from tests.engine.tiny_runs import assert_equal
from tests.forking import run_ranks
from tests.tiny_grounder import make_data_root

STEPS = 10  # two epochs of five, three steps an update: the end of an epoch lies between two updates


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=10)


@OPTIM_WRAPPERS.register_module()
class ScaledOptimWrapper(MixedPrecisionOptimWrapper):
    """Mixed precision with the loss scaling that float16 has on a GPU, on a CPU; the scale grows at every second update."""

    def __init__(self, optimizer, **kwargs):
        super().__init__(optimizer, **kwargs)
        self.loss_scaler = torch.amp.GradScaler('cpu', init_scale=1024.0, growth_interval=2)


class Send(Hook):
    """Sends this process SIGTERM after a step."""

    def __init__(self, step):
        self.step = step

    def after_train_iter(self, runner, *_, **__):
        if runner.iter + 1 == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


class KilledError(Exception):
    """In the place of a SIGKILL."""


class Kill(Hook):
    """Ends a training after a step, when what is being written is complete."""

    priority = 'LOWEST'

    def __init__(self, step):
        self.step = step

    def after_train_iter(self, runner, *_, **__):
        if runner.iter + 1 == self.step:
            raise KilledError


PLAIN = dict(optim_wrapper__accumulative_counts=3)
WRAPPERS = {'plain': PLAIN, 'bf16': {**PLAIN, 'optim_wrapper__type': MixedPrecisionOptimWrapper},
            'scaled': {**PLAIN, 'optim_wrapper__type': ScaledOptimWrapper},
            'clipped': {**PLAIN, 'optim_wrapper__clip_grad': dict(max_norm=0.1)}}


def train(work, root, *hooks, distilled=False, **changes):
    run = tiny_runs.train_distilled if distilled else tiny_runs.train
    return run(work, root, *hooks, custom_hooks=[dict(type=EMAHook, momentum=0.1)], **changes)


def final(work):
    """Everything that decides how training goes on, flat, of the last checkpoint."""
    saved = torch.load(work / 'epoch_2.pth', weights_only=True)
    assert 'gradients' not in saved  # the last step is an update
    return dict(flatten({key: saved[key] for key in ('state_dict', 'ema_state_dict', 'optimizer', 'random_states')}))


def flatten(value, name='') -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from flatten(item, f'{name}.{key}')
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from flatten(item, f'{name}.{number}')
    else:
        yield name, torch.tensor([value] if isinstance(value, int | float) else list(str(value).encode()))


@contextmanager
def resumed_is_whole(work, root, whole, **changes) -> Iterator[None]:
    yield
    train(work, root, resume=True, **changes)
    assert_equal(final(work), whole)


@pytest.fixture(scope='module')
def wholes():
    return {}


@pytest.fixture
def kind(name, root, tmp_path_factory, wholes):
    """Changes to a config, and what a training with them that is never stopped leaves."""
    changes = WRAPPERS[name]
    if name not in wholes:
        work = tmp_path_factory.mktemp('whole')
        train(work, root, **changes)
        wholes[name] = final(work)
    return changes, wholes[name]


def offsets(last, *others):
    """Every step with plain updates, and some with others."""
    cases = [('plain', step) for step in range(1, last + 1)]
    cases += [(name, step) for name in WRAPPERS if name != 'plain' for step in others]
    return pytest.mark.parametrize(('name', 'stop'), cases)


@offsets(STEPS - 1, 5, 7)
def test_a_limit_of_steps_between_two_updates_loses_nothing(root, tmp_path, kind, stop):
    changes, whole = kind
    with resumed_is_whole(tmp_path, root, whole, **changes):
        train(tmp_path, root, train_cfg__max_iters=stop, **changes)
        name = 'epoch_1.pth' if stop == STEPS // 2 else f'iter_{stop}.pth'
        assert ('gradients' in torch.load(tmp_path / name, weights_only=True)) == (stop % 3 != 0)


@offsets(STEPS - 2, 4)
def test_a_signal_between_two_updates_loses_nothing(root, tmp_path, kind, stop):
    changes, whole = kind
    with resumed_is_whole(tmp_path, root, whole, **changes), pytest.raises(TrainingStopped):
        train(tmp_path, root, Send(stop), **changes)


@offsets(STEPS - 1, 6)
def test_a_kill_after_any_step_loses_no_more_than_since_the_checkpoint(root, tmp_path, kind, stop):
    changes, whole = kind
    with resumed_is_whole(tmp_path, root, whole, **changes), pytest.raises(KilledError):
        train(tmp_path, root, Kill(stop), default_hooks__checkpoint__iter_interval=2, **changes)


@pytest.mark.parametrize(('stop', 'updates'), [(8, 2), (6, 2), (5, 1)])
def test_a_distilled_run_counts_updates_as_one_that_did_not_stop(root, tmp_path, stop, updates):
    changes = {**PLAIN, 'distilled': True, 'model__head__warmup_steps': 3}
    whole = train(tmp_path / 'whole', root, **changes)
    stopped = train(tmp_path / 'a', root, train_cfg__max_iters=stop, **changes)
    resumed = train(tmp_path / 'a', root, resume=True, **changes)
    assert (stopped.plain_model.head.steps, whole.plain_model.head.steps, resumed.plain_model.head.steps) == (updates, 3, 3)
    assert_equal(tiny_runs.weights(resumed), tiny_runs.weights(whole))


def _train_on_rank(work, root, changes):
    train(work, root, launcher='pytorch', train_dataloader__batch_size=1, **PLAIN, **changes)


def test_two_ranks_go_on_from_the_gradients_of_each(root, tmp_path):
    for changes in (dict(folder='whole'), dict(folder='parts', train_cfg__max_iters=4), dict(folder='parts', resume=True)):
        done = run_ranks(2, _train_on_rank, tmp_path / changes.pop('folder'), root, changes)
        assert [rank.returncode for rank in done] == [0, 0], done[0].stderr[-2000:] + done[1].stderr[-2000:]
    assert len(torch.load(tmp_path / 'parts/epoch_1.pth', weights_only=True)['gradients']) == 2
    assert_equal(final(tmp_path / 'parts'), final(tmp_path / 'whole'))


def test_gradients_of_another_number_of_ranks_are_left_out_and_mmengine_says_so(root, tmp_path, caplog):
    train(tmp_path, root, train_cfg__max_iters=4, **PLAIN)
    path = tmp_path / 'iter_4.pth'
    saved = torch.load(path, weights_only=True)
    saved['gradients'] *= 2
    torch.save(saved, path)
    train(tmp_path, root, resume=True, train_cfg__max_iters=6, **PLAIN)
    log = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert log.count('gradient of some iterations is lost') == 1


class SaveAndKill(Kill):
    """Ends a training after a step, with a checkpoint of that moment."""

    def after_train_iter(self, runner, *_, **__):
        if runner.iter + 1 == self.step:
            runner.save_checkpoint(runner.work_dir, f'iter_{self.step}.pth', by_epoch=False)
        super().after_train_iter(runner)


def test_a_loop_of_steps_goes_on_from_gradients_too(root, tmp_path):
    def by_steps(work, *hooks, **changes):
        # Anew each time, as MMEngine takes the mark out of the dict that it merges.
        loop = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=8, val_interval=9)
        sampler = dict(_delete_=True, type='InfiniteSampler', shuffle=False)
        return train(work, root, *hooks, train_cfg=loop, train_dataloader__sampler=sampler, param_scheduler=[], **PLAIN,
                     **changes)

    whole = tiny_runs.weights(by_steps(tmp_path / 'whole'))
    with pytest.raises(KilledError):
        by_steps(tmp_path / 'parts', SaveAndKill(4))
    assert_equal(tiny_runs.weights(by_steps(tmp_path / 'parts', resume=True)), whole)
