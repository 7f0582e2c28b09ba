import shlex
from pathlib import Path

import pytest
import torch
import torch.distributed as torch_dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmduet.cli.main import build_parser
from mmduet.cli.running import check_arguments
from mmduet.engine.config_tools import ConfigError
from mmduet.engine.distributed import choose_backend, join_process_group, leave, naming_unused_parameters, slurm_environment
from tests.docs.pages import DOCS, commands
from tests.forking import run_ranks

PAGE = DOCS / 'several_gpus.md'


def test_gloo_is_chosen_without_gpus(monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    assert choose_backend() == 'gloo'


def test_the_environment_of_a_slurm_task_is_translated():
    environ = {'SLURM_PROCID': '5', 'SLURM_NTASKS': '8', 'SLURM_LOCALID': '1', 'SLURM_JOB_ID': '1234567'}
    assert slurm_environment(environ, 'node3') == {'RANK': '5', 'WORLD_SIZE': '8', 'LOCAL_RANK': '1', 'MASTER_ADDR': 'node3',
                                                   'MASTER_PORT': '34567'}
    assert slurm_environment({**environ, 'MASTER_PORT': '77', 'MASTER_ADDR': 'x'}, 'node3')['MASTER_PORT'] == '77'


def test_outside_slurm_the_missing_variables_are_named():
    with pytest.raises(ValueError, match=r'SLURM_NTASKS, SLURM_LOCALID.* by `srun .*`, .*tools/slurm_train\.sh'):
        slurm_environment({'SLURM_PROCID': '0'}, 'localhost')


def test_without_a_launcher_the_missing_variables_are_named(monkeypatch):
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match=r'needs RANK, .* by `python -m torch.*`, .*tools/dist_train\.sh'):
        join_process_group('pytorch')
    with pytest.raises(ValueError, match="got 'mpi'"):
        join_process_group('mpi')


@pytest.mark.parametrize('launcher', ['pytorch', 'slurm'])
def test_what_is_missing_is_started_by_a_command_that_the_installed_package_takes(monkeypatch, launcher):
    for name in ('RANK', 'SLURM_PROCID'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match=r'`(.*)`') as raised:
        join_process_group(launcher)
    words = shlex.split(str(raised.value).split('`')[1])
    starter = commands(PAGE, words[0])[0]
    assert words[:4] == starter[:4] if launcher == 'pytorch' else words[0] == 'srun'
    started = words[words.index('mmduet') + 1:]
    args = check_arguments(build_parser('train').parse_args(started))
    assert args.launcher == launcher and args.config == 'CONFIG'


def test_leaving_ends_the_group_and_without_one_does_nothing(tmp_path):
    leave()
    torch_dist.init_process_group('gloo', init_method=f'file://{tmp_path / "store"}', rank=0, world_size=1)
    leave()
    assert not torch_dist.is_initialized()


def _group_threads():
    return [name for path in Path('/proc/self/task').glob('*/comm') if 'gloo' in (name := path.read_text())]


@pytest.mark.skipif(not Path('/proc/self/task').is_dir(), reason='threads are read from /proc')
def test_no_thread_of_the_group_outlives_it_when_a_wrapped_model_is_in_a_cycle(monkeypatch):
    store = torch_dist.TCPStore('127.0.0.1', 0, is_master=True, wait_for_workers=False)
    for name, value in dict(RANK=0, WORLD_SIZE=1, LOCAL_RANK=0, MASTER_ADDR='127.0.0.1', MASTER_PORT=store.port,
                            TORCHELASTIC_USE_AGENT_STORE=True).items():
        monkeypatch.setenv(name, str(value))
    join_process_group('pytorch', 'gloo')
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
    model.itself = [model]
    assert _group_threads()
    del model
    leave()
    assert not _group_threads()


class Spare(nn.Module):
    """A model with a layer that nothing reads."""

    def __init__(self):
        super().__init__()
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.spare = nn.Linear(2, 1)
        self.box = nn.Linear(2, 1)

    def forward(self, values):
        return self.box(self.frozen(values))


def train_with_a_spare_layer():
    join_process_group('pytorch', 'gloo')
    model = Spare()
    trained = DistributedDataParallel(model)
    with naming_unused_parameters(model):
        for _ in range(2):
            trained(torch.ones(1, 2)).sum().backward()


def check_what_is_named():
    with pytest.raises(ConfigError, match=r'^no loss reads spare\.weight, spare\.bias: .* find_unused_parameters=True'):
        train_with_a_spare_layer()
    print('named')


def test_parameters_that_no_loss_reads_are_named_on_every_rank():
    for rank in run_ranks(2, check_what_is_named):
        assert 'named' in rank.stdout, rank.stderr


def test_another_error_of_a_step_is_left_as_it_is():
    with pytest.raises(RuntimeError, match='something else'), naming_unused_parameters(Spare()):
        raise RuntimeError('something else')


def test_names_that_pytorch_tells_too_are_not_taken_for_numbers():
    said = ('Parameters which did not receive grad for rank 0: 1.weight, 1.bias\n'
            'Parameter indices which did not receive grad for rank 0: 2 3')
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    with pytest.raises(ConfigError, match=r'^no loss reads 1\.weight, 1\.bias: '), naming_unused_parameters(model):
        raise RuntimeError(said)
