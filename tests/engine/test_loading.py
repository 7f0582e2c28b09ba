"""A checkpoint is read by all ranks or by none; the last that can be read is resumed from, and those passed over are named."""
import re
import shutil
from pathlib import Path

import pytest
import torch
import torch.distributed

from mmduet.engine.checkpoint import CorruptCheckpointError, UnreadableCheckpointError
from mmduet.engine.distributed import leave
from mmduet.engine.loading import read_on_all_ranks, resumed_seed
from tests.engine.tiny_runs import assert_equal, shown, train, weights
from tests.forking import run_ranks
from tests.tiny_grounder import make_data_root


def _read(folder):
    """Each rank its own file, as on a file system that has not carried a copy to all hosts yet."""
    torch.distributed.init_process_group('gloo')
    rank = torch.distributed.get_rank()
    for name in ('good', 'cut'):
        path = Path(folder) / (f'{name}.pth' if rank == 1 else 'good.pth')
        try:
            print(name, read_on_all_ranks(str(path), 'cpu')['state_dict'])
        except UnreadableCheckpointError as error:
            print(name, type(error).__name__, error)
    leave()


def test_a_file_that_one_rank_cannot_read_is_refused_by_all(tmp_path):
    torch.save({'state_dict': {'a': torch.ones(1)}}, tmp_path / 'good.pth')
    (tmp_path / 'cut.pth').write_bytes((tmp_path / 'good.pth').read_bytes()[:300])
    first, second = run_ranks(2, _read, str(tmp_path))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    for done in (first, second):
        assert done.stdout.startswith("good {'a': tensor([1.])}\n")
    why = f'{tmp_path}/cut.pth is truncated or corrupt'
    assert f'cut UnreadableCheckpointError another process cannot read {tmp_path}/good.pth: {why}' in first.stdout
    assert f'cut {CorruptCheckpointError.__name__} {why}' in second.stdout


@pytest.mark.parametrize(('damaged', 'expected'), [(['epoch_2'], 3), (['epoch_2', 'iter_3'], 2)])
def test_each_file_that_cannot_be_read_is_named_and_the_one_before_is_taken(tmp_path, damaged, expected):
    root = make_data_root(tmp_path / 'data', count=4)
    train(tmp_path / 'work', root, default_hooks__checkpoint__iter_interval=1, default_hooks__checkpoint__max_keep_ckpts=-1)
    for name in damaged:
        path = tmp_path / f'work/{name}.pth'
        path.write_bytes(path.read_bytes()[:2000])
    runner = train(tmp_path / 'work', root, resume=True, train_cfg__max_iters=expected)
    said = ''.join(path.read_text() for path in tmp_path.glob('work/*/*.log'))
    assert runner.iter == expected and said.count('Trying the one before.') == len(damaged)
    for name in damaged:
        assert re.search(rf'{name}\.pth is truncated or corrupt .*Trying the one before', said)
    assert f'Weights: resumed at step {expected} from' in said


@pytest.mark.parametrize('named', [False, True])
def test_without_a_seed_a_training_goes_on_with_the_one_that_it_drew(tmp_path, named):
    root = make_data_root(tmp_path / 'data', count=12)
    whole = train(tmp_path / 'whole', root, randomness=dict(seed=None), default_hooks__checkpoint__iter_interval=2,
                  default_hooks__checkpoint__max_keep_ckpts=-1)
    work, path = tmp_path / 'work', tmp_path / 'whole/iter_8.pth'
    work.mkdir()
    if not named:
        path = Path(shutil.copy(path, work))
    resumed = train(work, root, randomness=dict(seed=None), resume=True, load_from=str(path) if named else None)
    assert resumed.seed == whole.seed
    assert_equal(weights(resumed), weights(whole))


def test_a_training_that_begins_without_a_seed_draws_one(tmp_path):
    assert resumed_seed(tmp_path, None) is None and resumed_seed(tmp_path, str(tmp_path / 'gone.pth')) is None
    torch.save({'state_dict': {'a': torch.ones(1)}, 'meta': {'seed': '7'}}, tmp_path / 'iter_1.pth')
    assert resumed_seed(tmp_path, None) is None
    torch.save({'state_dict': {'a': torch.ones(1)}, 'meta': {'seed': 7}}, tmp_path / 'iter_1.pth')
    assert resumed_seed(tmp_path, None) == resumed_seed(Path(), str(tmp_path / 'iter_1.pth')) == 7


def test_a_training_that_finds_nothing_to_resume_from_says_so_to_whoever_looks(tmp_path):
    root = make_data_root(tmp_path / 'data', count=4)
    runner, lines = shown(tmp_path / 'work', root, resume=True, train_cfg__max_iters=1)
    assert f'No checkpoint in {tmp_path}/work to resume from: training starts from the beginning.' in lines
    assert runner.iter == 1


def test_a_config_in_a_checkpoint_is_not_run_where_it_is_resumed(tmp_path):
    root = make_data_root(tmp_path / 'data', count=4)
    train(tmp_path / 'first', root, train_cfg__max_epochs=1)
    path, marker = tmp_path / 'other.pth', tmp_path / 'ran'
    checkpoint = torch.load(tmp_path / 'first/epoch_1.pth', weights_only=True)
    checkpoint['meta']['config'] = f'open({str(marker)!r}, "w").close()\n'
    torch.save(checkpoint, path)
    runner = train(tmp_path / 'second', root, resume=True, load_from=str(path), train_cfg__max_epochs=2)
    assert runner.iter == 4 and not marker.exists()
