import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch.distributed as torch_dist
from mmengine.hooks import Hook

from mmduet.engine import rank_watch
from mmduet.engine.rank_watch import RankLostError, RankWatch, Sign, _is_here
from tests.engine.tiny_runs import train
from tests.forking import run_ranks
from tests.tiny_grounder import make_data_root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=12)


class AtStep(Hook):
    """Does something on rank 1 before the third step."""

    def __init__(self, act):
        self.act = act

    def before_train_iter(self, runner, *_, **__):
        if runner.rank == 1 and runner.iter + 1 == 3:
            self.act(runner)


def _die(work, root):
    # With 0, as whoever started the ranks would end the other one else. To this one it is a death without a word.
    try:
        train(work, root, AtStep(lambda runner: os._exit(0)), launcher='pytorch')
    except RankLostError as error:
        print(error)
        os._exit(0)  # not to wait for the other


def test_the_rank_that_died_is_named_with_its_place(root, tmp_path):
    survivor, dead = run_ranks(2, _die, tmp_path, root)
    assert (survivor.returncode, dead.returncode) == (0, 0), survivor.stderr[-2000:]
    said = survivor.stdout.splitlines()[-1]
    assert said.startswith('rank 1 (process ') and ') was killed or crashed, last seen at ' in said
    assert said.endswith('resume with --resume')


class OfOneRankError(Exception):
    pass


def _fail(work, root):
    def fail(runner):
        raise OfOneRankError('the disk of this rank is gone')

    try:
        train(work, root, AtStep(fail), launcher='pytorch')
    except (RankLostError, OfOneRankError) as error:
        print(error)
        if isinstance(error, OfOneRankError):
            torch_dist.destroy_process_group()  # as at the end of a process
        os._exit(0)


def test_the_error_of_a_rank_is_told_by_the_others(root, tmp_path):
    survivor, dead = run_ranks(2, _fail, tmp_path, root)
    assert dead.stdout.splitlines()[-1] == 'the disk of this rank is gone', dead.stderr[-2000:]
    said = survivor.stdout.splitlines()[-1]
    assert said.startswith('rank 1 (process ') and 'ended at step 3 of training: the disk of this rank is gone. ' in said


def _freeze(work, root):
    def freeze(runner):
        while not any('(freeze)' in path.read_text() for path in Path(work).glob('*/*.log')):
            time.sleep(0.05)

    rank_watch.PATIENCE = 0.4
    print('reached', train(work, root, AtStep(freeze), launcher='pytorch', train_cfg__max_epochs=1).iter)


def test_the_rank_that_froze_is_named_and_training_goes_on_when_it_does(root, tmp_path):
    ranks = run_ranks(2, _freeze, tmp_path, root)
    assert [rank.stdout.splitlines()[-1] for rank in ranks] == ['reached 3'] * 2, ranks[0].stderr[-2000:]
    log = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert ') is at step 3 of training, in test_rank_watch.py:' in log and '(freeze)' in log
    assert 'env_cfg.dist_cfg.timeout, 1,800 s unless set' in log


def _hang(work, root):
    rank_watch.GRACE = 0.2
    rank = int(os.environ['RANK'])

    def hang(runner):
        def write():
            time.sleep(2)
            (work / 'written').write_text('whole')

        runner.writer.submit(write)
        while True:  # as a collective of NCCL, which nobody ends
            time.sleep(0.05)

    class Hang(Hook):
        def before_train_iter(self, runner, *_, **__):
            if rank == 0 and runner.iter + 1 == 3:
                hang(runner)

    train(work, root, Hang(), AtStep(lambda runner: os._exit(0)), launcher='pytorch')


def test_a_rank_that_hangs_in_a_collective_ends_where_another_died_when_its_checkpoint_is_written(root, tmp_path):
    survivor, _ = run_ranks(2, _hang, tmp_path, root)
    assert survivor.returncode == 1 and 'error: rank 1 (process ' in survivor.stderr
    assert (tmp_path / 'written').read_text() == 'whole'  # longer than the grace


def test_a_process_alone_watches_nobody():
    watch = RankWatch()
    with watch.watching():
        watch.move('step 1')
    with pytest.raises(KeyError), watch.watching():
        raise KeyError


def test_a_process_that_ended_and_was_not_waited_for_does_not_live():
    child = os.fork()
    if child == 0:
        os._exit(0)
    while rank_watch._lives(child):
        time.sleep(0.01)
    os.waitpid(child, 0)
    assert not rank_watch._lives(child) and rank_watch._lives(os.getpid())


def test_a_process_of_another_container_on_a_host_of_the_same_name_is_not_asked_for():
    own = Sign(rank=0)
    assert _is_here(own) and own.namespace == str(Path('/proc/self/ns/pid').readlink())
    assert not _is_here(replace(own, namespace='pid:[1]')) and not _is_here(replace(own, host='elsewhere'))
