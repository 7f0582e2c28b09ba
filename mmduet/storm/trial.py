"""One training of a storm, in forked children that have all imports already."""
import errno
import os
import signal
import sys
import time
import traceback
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from mmengine.config import Config
from mmengine.runner import runner as host_runner
from torch._C._distributed_c10d import TCPStore

from mmduet.engine import GroundingRunner
from mmduet.engine.checkpoint import CheckpointError
from mmduet.engine.config_changes import read_changed
from mmduet.engine.config_tools import set_data_root
from mmduet.engine.rank_watch import RankLostError
from mmduet.engine.stop_signals import TrainingStopped
from mmduet.io.config_files import nearest
from mmduet.io.errors import DataError
from mmduet.registry import RUNNERS
from mmduet.storm.ledger import FileOperations, Ledger, Witness, fail_here, kill_here

REFUSED = 3  # exit code of a training that ended with a sentence


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is trained in a storm.

    Args:
        config, data_root, patches, options: as for ``mmduet train``; what a storm sets itself comes after them.
        epochs: how many.
        interval: steps between two checkpoints within an epoch.
        workers: of the training's data.
        ranks: processes, on CPUs.
        accumulate: steps of an update.
        ema: whether a moving average is kept.
        patience: validations without progress after which training stops; None for never. None of a storm makes progress.
    """

    config: str
    data_root: str
    patches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    epochs: int = 3
    interval: int = 2
    workers: int = 0
    ranks: int = 1
    accumulate: int = 1
    ema: bool = False
    patience: int | None = None

    def configure(self, work: Path) -> Config:
        """The config of a training that goes on in ``work``."""
        cfg = read_changed(self.config, self.patches, self.options)
        set_data_root(cfg, self.data_root)
        cfg.work_dir, cfg.resume, cfg.experiment_name = str(work), True, uuid.uuid4().hex
        cfg.launcher = 'pytorch' if self.ranks > 1 else 'none'
        cfg.train_cfg.max_epochs, cfg.optim_wrapper.accumulative_counts = self.epochs, self.accumulate
        cfg.train_dataloader.update(num_workers=self.workers, persistent_workers=self.workers > 0)
        cfg.val_dataloader.update(num_workers=0, persistent_workers=False)
        cfg.default_hooks.checkpoint.update(iter_interval=self.interval, minutes=None)
        cfg.default_hooks.visualization.max_samples = 1
        cfg.default_hooks.logger.interval = 1
        cfg.custom_hooks = [{'type': 'EMAHook', 'momentum': 0.1}] if self.ema else []
        if self.patience is not None:
            cfg.custom_hooks.append({'type': 'EarlyStoppingHook', 'monitor': 'acc@0.5', 'rule': 'greater', 'min_delta': 2.0,
                                     'patience': self.patience})
        return cfg


@dataclass(frozen=True)
class Accident:
    """What happens to the first rank at one of its file operations.

    Args:
        at: which operation, from 1.
        error: name of the system's error with which it fails, such as ``'ENOSPC'``; None for a SIGKILL.

    Raises:
        ValueError: no operation has this number, or no error of this system this name.
    """

    at: int
    error: str | None = None

    def __post_init__(self) -> None:
        if self.at < 1:
            raise ValueError(f'operations are counted from 1, got {self.at}')
        if self.error is not None and self.error not in errno.errorcode.values():
            raise ValueError(f'this system has no error {self.error!r}{nearest(self.error, errno.errorcode.values())}')


class Trial:
    """The processes of one training.

    Args:
        training, work: what, and where.
        ledger: what they write down; its folder holds ``log``, what they print.
        accident: None for none.
    """

    def __init__(self, training: Training, work: Path, ledger: Ledger, accident: Accident | None = None) -> None:
        self._store = None if training.ranks == 1 else TCPStore('127.0.0.1', 0, is_master=True, wait_for_workers=False)
        self.log = ledger.path.with_name('log')
        sys.stdout.flush()
        sys.stderr.flush()
        self.codes: dict[int, int | None] = {}
        for rank in range(training.ranks):
            process = os.fork()
            if process == 0:
                self._train(training, work, ledger, accident if rank == 0 else None, rank)
            self.codes[process] = None

    def ended(self) -> bool:
        """Whether all processes have ended; one that was killed ends the others, as whoever starts ranks does."""
        for process, code in self.codes.items():
            if code is None:
                done, status = os.waitpid(process, os.WNOHANG)
                self.codes[process] = os.waitstatus_to_exitcode(status) if done else None
        if -signal.SIGKILL in self.codes.values():
            self.kill()
        return None not in self.codes.values()

    def wait(self) -> list[int]:
        """Exit codes by rank, when all have ended; then no process that they started lives."""
        while not self.ended():
            time.sleep(0.005)
        for process in self.codes:
            _signal_group(process, signal.SIGKILL)  # data workers of one that was killed
        return [code for code in self.codes.values() if code is not None]

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to every process that has not ended, for SIGKILL with those that it started."""
        for process, code in self.codes.items():
            if code is None:
                _signal_group(process, number) if number == signal.SIGKILL else os.kill(process, number)

    def _train(self, training: Training, work: Path, ledger: Ledger, accident: Accident | None, rank: int) -> NoReturn:
        code = 1
        try:
            os.setsid()
            output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(output, 1)
            os.dup2(output, 2)
            if self._store is not None:
                os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(training.ranks), MASTER_ADDR='127.0.0.1',
                                  LOCAL_WORLD_SIZE=str(training.ranks), MASTER_PORT=str(self._store.port),
                                  TORCHELASTIC_USE_AGENT_STORE='True', TORCHELASTIC_RESTART_COUNT='0')
            code = _train(training, work, ledger, accident)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def _train(training: Training, work: Path, ledger: Ledger, accident: Accident | None) -> int:
    host_runner.collect_env = dict  # looks for compilers, which costs more than a training
    operations = FileOperations(ledger)
    if accident is not None:
        act = kill_here(ledger) if accident.error is None else fail_here(ledger, getattr(errno, accident.error))
        operations = FileOperations(ledger, accident.at, act)
    operations.install()
    witness = Witness(ledger)
    try:
        runner: GroundingRunner = RUNNERS.build(training.configure(work))
        runner.register_hook(witness)
        runner.train()
    except TrainingStopped as stopped:
        return int(str(stopped.code))
    except (CheckpointError, DataError, RankLostError, OSError) as error:  # what the command says in a sentence
        print(f'error: {error}')
        return REFUSED
    ledger.add('finished', operations.count, time.monotonic() - witness.began)
    return 0


def _signal_group(process: int, number: int) -> None:
    try:
        os.killpg(process, number)
    except ProcessLookupError:
        with suppress(ProcessLookupError):  # before it had a group of its own
            os.kill(process, number)
