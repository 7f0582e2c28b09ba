"""Telling which rank of a distributed training died or froze, where the others can only wait for it."""
import contextlib
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch.distributed as torch_dist
from mmengine.logging import print_log

PATIENCE = 60.0  # seconds without progress before a word is said
GRACE = 10.0  # seconds in which a collective should fail by itself, once a rank has died
_KEY = 'mmduet/ranks/{}'


class RankLostError(RuntimeError):
    """Another process of a training ended, so that this one cannot go on; the message says which, where and at which step."""


def _pid_namespace() -> str:
    """Whose the numbers of processes are; containers may share the name of their host and not these."""
    try:
        return str(Path('/proc/self/ns/pid').readlink())
    except OSError:
        return ''


@dataclass
class Sign:
    """What a rank says of itself to the others.

    Attributes:
        moves: how often it got on; the same on every rank at the same point.
        place: where it is, in words.
        namespace: in which ``process`` is a number, see ``_pid_namespace``.
        line: which line of code its main thread is in.
        beat: a number that grows while the process lives.
        ended: None while it works; ``''`` after its end; the sentence of the error that ended it.
    """

    rank: int
    host: str = field(default_factory=socket.gethostname)
    namespace: str = field(default_factory=_pid_namespace)
    process: int = field(default_factory=os.getpid)
    moves: int = 0
    place: str = 'the start'
    line: str = ''
    beat: int = 0
    ended: str | None = None

    def __str__(self) -> str:
        return f'rank {self.rank} (process {self.process} on {self.host})'


class RankWatch:
    """Within ``with``, every rank tells the others where it is, in a thread, over the store by which they found each other.

    A rank that cannot get on for 60 s says on the log for which rank it waits. Where one has died, the others end with a
    ``RankLostError``, or with its sentence where they hang in a collective. Does nothing for a process alone.

    Args:
        patience: seconds without progress before something is said; again after twice as long, and so on.
        finish: called before this process is ended where it hangs, as for a file that is being written.
    """

    def __init__(self, patience: float | None = None, finish: Callable[[], None] | None = None) -> None:
        self._patience = PATIENCE if patience is None else patience
        self._finish = finish
        self._own: Sign | None = None
        self._signs: dict[int, tuple[Sign, float]] = {}  # with the time of the last new beat
        self._lost, self._lost_at = '', 0.0
        self._moved, self._told = time.monotonic(), 1.0
        self._stop, self._found = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._store: Any = None

    def move(self, place: str) -> None:
        """Say that this rank got on, and where it is; every rank must say so as often."""
        if self._own is not None:
            self._own.moves, self._own.place = self._own.moves + 1, place
            self._moved, self._told = time.monotonic(), 1.0

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while something is done.

        Raises:
            RankLostError: a collective failed, as another rank ended.
        """
        if not (torch_dist.is_available() and torch_dist.is_initialized()) or torch_dist.get_world_size() == 1:
            yield
            return
        store = torch_dist.distributed_c10d._get_default_store()
        if not hasattr(store, 'clone'):  # an older PyTorch; the connection itself is not for two threads
            yield
            return
        self._own, self._store = Sign(torch_dist.get_rank()), store.clone()
        self._stop.clear()
        self._publish()  # so that all know of each other whatever comes first
        self._thread = threading.Thread(target=self._watch, name='ranks', daemon=True)
        self._thread.start()
        ended = ''
        try:
            yield
        except RuntimeError as error:
            if not _is_of_a_collective(error) or not self._found.wait(GRACE):
                ended = str(error) or type(error).__name__
                raise
            raise RankLostError(self._lost) from error
        except BaseException as error:
            ended = str(error) or type(error).__name__
            raise
        finally:
            self._stop.set()
            self._thread.join()
            self._own.ended = ended
            with contextlib.suppress(RuntimeError):
                self._publish()
            self._own = None

    def _publish(self) -> None:
        assert self._own is not None
        self._own.beat += 1
        self._own.line = _line_of_main_thread()
        self._store.set(_KEY.format(self._own.rank), json.dumps(asdict(self._own)))

    def _watch(self) -> None:
        while not self._stop.wait(min(2.0, self._patience / 4)):
            try:
                self._publish()
                self._read()
            except RuntimeError:
                # The store is the launcher's or that of the first rank.
                first = self._signs.get(0)
                self._lose(f'{first[0] if first else "rank 0"}, or whoever started the ranks, cannot be reached any more')
            self._judge(time.monotonic())

    def _read(self) -> None:
        assert self._own is not None
        for rank in range(torch_dist.get_world_size()):
            if rank != self._own.rank and self._store.check([_KEY.format(rank)]):
                sign = Sign(**json.loads(self._store.get(_KEY.format(rank))))
                before = self._signs.get(rank)
                self._signs[rank] = (sign, time.monotonic() if before is None or before[0].beat != sign.beat else before[1])

    def _judge(self, now: float) -> None:
        for sign, _ in self._signs.values():
            if sign.ended:
                self._lose(f'{sign} ended at {sign.place}: {sign.ended}')
            elif sign.ended is None and _is_here(sign) and not _lives(sign.process):
                self._lose(f'{sign} was killed or crashed, last seen at {sign.place}; its own output may say why')
        if self._lost and now - self._lost_at > GRACE:
            # This thread alone is awake, where the other waits in a collective that nobody will end.
            if self._finish is not None:
                self._finish()
            os.write(2, f'error: {self._lost}\n'.encode())
            os._exit(1)
        if not self._lost and now - self._moved > self._patience * self._told:
            self._told *= 2
            self._say(now)

    def _say(self, now: float) -> None:
        assert self._own is not None
        behind = [(sign, now - seen) for sign, seen in self._signs.values()
                  if sign.ended is None and (sign.moves < self._own.moves or now - seen > self._patience)]
        if any(sign.rank < self._own.rank for sign, _ in self._signs.values() if sign not in [each for each, _ in behind]):
            return  # the first that can says it
        told = behind or [(sign, 0.0) for sign, _ in self._signs.values()]
        whom = '; '.join(f'{sign} is at {sign.place}, in {sign.line}'
                         + (f', and has given no sign of life for {age:.0f} s' if age > self._patience else '')
                         for sign, age in told)
        print_log(f'No progress for {now - self._moved:.0f} s. {self._own} is at {self._own.place}, in {self._own.line}, and '
                  f'waits for {"others that are behind" if behind else "others at the same place"}: {whom}. Collectives wait '
                  'until the limit of env_cfg.dist_cfg.timeout, 1,800 s unless set.', logger='current',
                  level=logging.ERROR if self._own.rank else logging.WARNING)

    def _lose(self, what: str) -> None:
        if not self._lost:
            self._lost, self._lost_at = f'{what}. Training cannot go on without it; resume with --resume', time.monotonic()
            self._found.set()


def _is_of_a_collective(error: RuntimeError) -> bool:
    return isinstance(error, torch_dist.DistError) or any(word in str(error) for word in ('gloo', 'NCCL', 'closed by peer'))


def _line_of_main_thread() -> str:
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    return '' if frame is None else f'{Path(frame.f_code.co_filename).name}:{frame.f_lineno} ({frame.f_code.co_name})'


def _is_here(sign: Sign) -> bool:
    """Whether its process can be asked for; elsewhere, and where a signal of 0 is none, its beats must do."""
    return os.name == 'posix' and (sign.host, sign.namespace) == (socket.gethostname(), _pid_namespace())


def _lives(process: int) -> bool:
    """Whether a process of this machine is there; one that has ended and was not waited for is not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    try:
        return Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return not Path('/proc/self/stat').exists()
