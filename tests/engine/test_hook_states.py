import math

import pytest
import torch
from mmengine.hooks import EarlyStoppingHook, Hook
from mmengine.optim import ReduceOnPlateauLR

from mmduet.engine.hook_states import depends_on_validation, get_hook_states, set_hook_states
from tests.engine.tiny_runs import assert_equal, train, weights
from tests.tiny_grounder import make_data_root


class Counts(Hook):
    """A user's hook with a state."""

    def __init__(self):
        self.count = 0

    def after_train_iter(self, runner, *_, **__):
        self.count += 1

    def state_dict(self):
        return {'count': self.count}

    def load_state_dict(self, state):
        self.count = state['count']


class KilledError(Exception):
    """In the place of a SIGKILL."""


class Kill(Hook):
    """Ends a training at a moment of an epoch."""

    priority = 'LOWEST'

    def __init__(self, epoch, moment):
        self.epoch = epoch
        setattr(self, moment, self.kill)

    def kill(self, runner, *_, **__):
        if runner.epoch == self.epoch:
            raise KilledError


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=4)


def test_states_are_those_of_hooks_that_have_one_and_of_early_stopping():
    stopping, other, counts = EarlyStoppingHook('a', rule='less'), EarlyStoppingHook('b', rule='greater'), Counts()
    stopping.wait_count, counts.count = 3, 7
    states = get_hook_states([Hook(), stopping, other, counts])
    assert states == {'EarlyStoppingHook': {'wait_count': 3, 'best_score': math.inf, 'monitor': 'a', 'rule': 'less'},
                      'EarlyStoppingHook.1': {'wait_count': 0, 'best_score': -math.inf, 'monitor': 'b', 'rule': 'greater'},
                      'Counts': {'count': 7}}
    fresh = [EarlyStoppingHook('a', rule='less'), EarlyStoppingHook('b', rule='greater'), Counts()]
    set_hook_states(fresh, {'EarlyStoppingHook': {'wait_count': 2, 'best_score': 0.5}, 'Counts': {'count': 9}})
    assert (fresh[0].wait_count, fresh[0].best_score, fresh[1].wait_count, fresh[2].count) == (2, 0.5, 0, 9)


@pytest.mark.parametrize(('monitor', 'rule', 'expected'), [
    ('miou', 'greater', (3, 40.0)), ('acc@0.5', 'greater', (0, -math.inf)), ('miou', 'less', (0, math.inf))])
def test_early_stopping_by_another_metric_or_rule_begins_to_count_anew(monitor, rule, expected):
    before, now = EarlyStoppingHook('miou', rule='greater'), EarlyStoppingHook(monitor, rule=rule)
    before.wait_count, before.best_score = 3, 40.0
    set_hook_states([now], get_hook_states([before]))
    assert (now.wait_count, now.best_score) == expected


def test_what_is_decided_by_validations_is_known():
    parameter = torch.nn.Parameter(torch.zeros(1))
    plateau = ReduceOnPlateauLR(torch.optim.SGD([parameter], lr=1.0), monitor='a', rule='less')
    assert not depends_on_validation([Hook()], None) and not depends_on_validation([], [])
    assert depends_on_validation([EarlyStoppingHook('a', rule='less')], None)
    assert depends_on_validation([], [plateau]) and depends_on_validation([], {'one': [plateau]})


# The accuracy never exceeds 1, so that with this much to gain every validation is one without progress.
STOPPING = dict(custom_hooks=[dict(type='EarlyStoppingHook', monitor='acc@0.5', rule='greater', min_delta=2.0, patience=3)],
                train_cfg__max_epochs=9)


@pytest.mark.parametrize('moment', ['before_val_epoch', 'after_val_epoch', 'before_train_epoch'])
def test_early_stopping_stops_where_it_would_have_without_a_kill(root, tmp_path, moment):
    whole = train(tmp_path / 'whole', root, **STOPPING)
    assert whole.epoch == 4  # the first validation sets the best
    work = tmp_path / 'killed'
    for epoch in (1, 2, 3):
        with pytest.raises(KilledError):
            train(work, root, Kill(epoch, moment), resume=epoch > 1, **STOPPING)
    resumed = train(work, root, resume=True, **STOPPING)
    assert resumed.epoch == 4
    assert_equal(weights(resumed), weights(whole))
    again = train(work, root, resume=True, **STOPPING)
    assert (again.iter, again.epoch) == (resumed.iter, 4)
    assert sorted(path.name for path in work.glob('[ei]*.pth')) == ['epoch_3.pth', 'epoch_4.pth']


def test_where_early_stopping_ends_a_training_a_checkpoint_is_written(root, tmp_path):
    runner = train(tmp_path, root, default_hooks__checkpoint__interval=9, **STOPPING)
    assert (tmp_path / f'iter_{runner.iter}.pth').exists()


PLATEAU = dict(param_scheduler=[dict(type='ReduceOnPlateauLR', monitor='acc@0.5', rule='greater', patience=0, threshold=2.0)],
               train_cfg__max_epochs=4)


@pytest.mark.parametrize('moment', ['before_val_epoch', 'after_val_epoch'])
def test_a_rate_that_falls_with_validations_falls_as_it_would_have(root, tmp_path, moment):
    whole = train(tmp_path / 'whole', root, **PLATEAU)
    for epoch in (1, 2, 3):
        with pytest.raises(KilledError):
            train(tmp_path / 'killed', root, Kill(epoch, moment), resume=epoch > 1, **PLATEAU)
    resumed = train(tmp_path / 'killed', root, resume=True, **PLATEAU)
    rates = [group['lr'] for group in whole.optim_wrapper.param_groups]
    assert [group['lr'] for group in resumed.optim_wrapper.param_groups] == rates and max(rates) < 1e-2
    assert_equal(weights(resumed), weights(whole))


def test_a_hook_of_the_users_goes_on_from_its_state(root, tmp_path):
    train(tmp_path, root, Counts(), train_cfg__max_iters=3)
    counts = Counts()
    train(tmp_path, root, counts, resume=True)
    assert counts.count == 4
