"""Signals that end a training: noted, so that the step ends and a checkpoint is written first."""
import atexit
import datetime
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
import torch.distributed as torch_dist

from mmduet.engine.distributed import TIMEOUT

# From a scheduler or a user, from Ctrl-C, from a terminal that closes.
SIGNALS = tuple(getattr(signal, name) for name in ('SIGTERM', 'SIGINT', 'SIGHUP') if hasattr(signal, name))


class TrainingStopped(SystemExit):
    """A signal ended a training before its time, with a checkpoint; ``code`` is 128 and the signal, as shells have it.

    Whoever trains and then does something with the model ends here too, unless they catch it.
    """


class StopSignals:
    """Within ``with``, the first of ``SIGNALS`` is only noted; the next one acts as it would have without us.

    A signal that is ignored, as ``nohup`` ignores SIGHUP, stays so.

    Args:
        timeout: seconds that processes may wait for each other.

    Attributes:
        received: number of the signal that this process received; None before.
        agreed: number of the signal that any process had received when all were asked last; None before.
        failed: whether any process had failed when all were asked last.
        group: the process group of CPUs over which they are asked; None outside ``with``, and for a process alone.
    """

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self._timeout = datetime.timedelta(seconds=timeout)
        self.received: int | None = None
        self.agreed: int | None = None
        self.failed = False
        self._before: dict[int, Any] = {}
        self.group: Any = None

    def __enter__(self) -> 'StopSignals':
        if torch_dist.is_available() and torch_dist.is_initialized():
            # Over CPUs: to ask on a GPU would wait for the step that it computes.
            self.group = torch_dist.new_group(backend='gloo', timeout=self._timeout)
        atexit.unregister(end_workers)
        atexit.register(end_workers)  # the last registered runs first: before multiprocessing waits for its children
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS
                            if signal.getsignal(number) not in (signal.SIG_IGN, None)}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        if self.group is not None:
            torch_dist.destroy_process_group(self.group)
            self.group = None

    def ask(self, failed: bool = False) -> str | None:
        """Name of the signal that any process has received; all must ask at the same point of their work.

        Args:
            failed: whether this process cannot go on, which all learn by the attribute.
        """
        highest = torch.tensor([self.received or 0, failed])
        if self.group is not None:
            torch_dist.all_reduce(highest, torch_dist.ReduceOp.MAX, group=self.group)
        number, self.failed = int(highest[0]), bool(highest[1])
        self.agreed = number or None
        return signal.Signals(number).name if number else None

    @property
    def exit_code(self) -> int:
        """128 and the signal, as shells have it; 0 where none was received."""
        return 128 + self.agreed if self.agreed else 0

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._restore()
        # Not by the logger, which may be in the middle of a line.
        name = signal.Signals(number).name
        os.write(2, f'{name}: the step ends and a checkpoint is written; again to stop at once\n'.encode())

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


def end_workers(patience: float = 5.0) -> None:
    """End the data workers that are left when this process ends, as multiprocessing would, and for sure.

    A worker that its group's SIGTERM reaches at the same time as ours sees one signal and may take it for the group's;
    multiprocessing would wait for it for ever.

    Args:
        patience: seconds from asking to killing.
    """
    workers = [child for child in multiprocessing.active_children() if child.daemon]
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(patience)
        if worker.is_alive():
            worker.kill()


def start_worker(start: Callable[[int], None] | None, worker: int) -> None:
    """Start a data worker as its loader would, deaf to the signals that its whole group receives, but not to its parent."""
    for number in SIGNALS:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, 'sigwaitinfo'):  # elsewhere SIGTERM ends the worker, and the training with it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_obey, args=(os.getppid(), ), daemon=True).start()
    if start is not None:
        start(worker)


def _obey(parent: int) -> None:
    """End this process when its parent sends SIGTERM, as multiprocessing does when it ends."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
