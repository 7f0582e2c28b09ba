"""Joining a process group on GPUs or on CPUs, started by torchrun or by Slurm.

MMEngine's own start-up selects a CUDA device whatever the backend, and wraps a model for one: on a machine without GPUs
both fail.
"""
import datetime
import gc
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path

import torch
import torch.distributed as torch_dist
from mmengine.dist import all_gather_object, get_rank
from torch import nn

from mmduet.engine.config_tools import ConfigError
from mmduet.io.locks import LockedError, locked

LAUNCHERS = ('none', 'pytorch', 'slurm')
# How processes are started from the installed package; in a checkout also by a script.
_TORCHRUN = ('`python -m torch.distributed.run --standalone --nproc_per_node 8 -m mmduet train CONFIG --launcher pytorch`, '
             'in a checkout also by tools/dist_train.sh')
_SLURM = '`srun --ntasks=8 python -m mmduet train CONFIG --launcher slurm`, in a checkout also by tools/slurm_train.sh'
TIMEOUT = 1800.0  # seconds that a collective may take, where a config does not say so by env_cfg.dist_cfg.timeout


def choose_backend() -> str:
    """``'nccl'`` where CUDA and NCCL are there, ``'gloo'`` elsewhere."""
    return 'nccl' if torch.cuda.is_available() and torch_dist.is_nccl_available() else 'gloo'


def slurm_environment(environ: Mapping[str, str], first_host: str) -> dict[str, str]:
    """What torch.distributed reads from the environment, for a task that Slurm started; two jobs have two ports."""
    _require(environ, ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'), '--launcher slurm', _SLURM)
    port = 20000 + int(environ.get('SLURM_JOB_ID', '0')) % 20000
    return {'RANK': environ['SLURM_PROCID'], 'WORLD_SIZE': environ['SLURM_NTASKS'], 'LOCAL_RANK': environ['SLURM_LOCALID'],
            'MASTER_ADDR': environ.get('MASTER_ADDR', first_host), 'MASTER_PORT': environ.get('MASTER_PORT', str(port))}


def _require(environ: Mapping[str, str], names: Iterable[str], who: str, start: str) -> None:
    if missing := [name for name in names if name not in environ]:
        raise ValueError(f'{who} needs {", ".join(missing)} in the environment: start it by {start}')


def _first_slurm_host() -> str:
    nodes = os.environ.get('SLURM_NODELIST', 'localhost')
    if shutil.which('scontrol') is None:
        return nodes.split(',')[0]
    return subprocess.check_output(['scontrol', 'show', 'hostnames', nodes], text=True).split()[0]


def join_process_group(launcher: str, backend: str | None = None, timeout: float = TIMEOUT) -> None:
    """Join the process group that ``launcher`` describes in the environment, once.

    Args:
        launcher: ``'pytorch'`` (torchrun) or ``'slurm'``, which must have prepared the environment.
        backend: ``choose_backend()`` where not given.
        timeout: seconds that a collective may take.
    """
    if torch_dist.is_available() and torch_dist.is_initialized():
        return
    if launcher not in LAUNCHERS[1:]:
        raise ValueError(f'launcher must be one of {", ".join(LAUNCHERS)}, got {launcher!r}')
    if launcher == 'slurm':
        os.environ.update(slurm_environment(os.environ, _first_slurm_host()))
    _require(os.environ, ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'), f'--launcher {launcher}',
             _TORCHRUN)
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
    # Imported later, by DDP, its functions would hold the group as a default value, and keep its threads after leave().
    import_module('torch.distributed.nn')
    torch_dist.init_process_group(backend or choose_backend(), timeout=datetime.timedelta(seconds=timeout))


@contextmanager
def locked_for_all_ranks(folder: Path, place: Path | None = None) -> Iterator[None]:
    """``locked`` by the first rank for all of them, which must all call it.

    Raises:
        LockedError: another process holds it, or nothing can be written there; on every rank.
    """
    with ExitStack() as stack:
        problem = None
        if get_rank() == 0:
            try:
                stack.enter_context(locked(folder, place))
            except LockedError as error:
                problem = str(error)
            except OSError as error:
                problem = f'{folder} cannot be written to: {error}'
        if problem := all_gather_object(problem)[0]:
            raise LockedError(problem)
        yield


@contextmanager
def naming_unused_parameters(model: nn.Module) -> Iterator[None]:
    """Name the parameters that no loss of a step reads, of which PyTorch tells several processes the numbers alone.

    Raises:
        ConfigError: there are some, and the config does not set ``find_unused_parameters``.
    """
    try:
        yield
    except RuntimeError as error:
        if not (found := re.search(r'indices which did not receive grad for rank \d+: ([\d ]+)', str(error))):
            raise
        trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        names = ', '.join(trained[int(number)] for number in found[1].split())
        raise ConfigError(f'no loss reads {names}: take them out of the model, let a loss read them in every step, or set '
                          'find_unused_parameters=True, at some cost, without which several processes cannot train') from error


def leave() -> None:
    """Wait for the other processes and leave the group, if there is one: its threads may abort a process that exits."""
    if torch_dist.is_available() and torch_dist.is_initialized():
        torch_dist.barrier()
        gc.collect()  # models wrapped for the group hold it and are in cycles with what trains them
        torch_dist.destroy_process_group()
