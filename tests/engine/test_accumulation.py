"""Gradients summed over several steps: the head counts updates, also where a run stops between two."""
import pytest
import torch

from mmduet.registry import RUNNERS
from tests.tiny_grounder import load_tiny_config, make_data_root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data')


def train(work, root, **changes):
    """Two epochs of six steps, four steps an update."""
    runner = RUNNERS.build(load_tiny_config(work, root, file='tiny_cached_config.py', model__head__warmup_steps=3,
                                            optim_wrapper__accumulative_counts=4, **changes))
    runner.train()
    return runner.plain_model


@pytest.mark.parametrize(('stop', 'updates'), [(8, 2), (6, 1)])
def test_a_resumed_run_counts_updates_as_one_that_did_not_stop(root, tmp_path, stop, updates):
    whole = train(tmp_path / 'whole', root)
    assert whole.head.steps == 3
    stopped = train(tmp_path / 'a', root, train_cfg__max_iters=stop)
    resumed = train(tmp_path / 'a', root, resume=True)
    assert (stopped.head.steps, resumed.head.steps) == (updates, 3)
    if stop % 4 == 0:  # gradients of half an update are lost
        assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())
