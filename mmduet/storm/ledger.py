"""What a training did, written down line by line so that a kill loses none of it; and where it is killed."""
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook

from mmduet.engine.checkpoint import write_checkpoint
from mmduet.engine.hooks import checkpoint_hook

Entry = list[str]
BETWEEN = 'after a checkpoint'  # no operation, but a point for a kill


class Ledger:
    """A file of entries; several processes may add to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, *words: object) -> None:
        """Add an entry."""
        line = ' '.join(map(str, words)) + '\n'
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def read(self, *kinds: str) -> list[Entry]:
        """The entries, of some kinds where named."""
        entries = [line.split() for line in self.path.read_text().splitlines()] if self.path.exists() else []
        return [entry for entry in entries if not kinds or entry[0] in kinds]

    def steps(self, kind: str) -> list[int]:
        """The steps of the entries of a kind."""
        return [int(entry[1]) for entry in self.read(kind)]


class Witness(Hook):
    """Writes down where a training resumes, each step, and each validation once all hooks have seen it."""

    priority = 'LOWEST'

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.began = ledger, 0.0

    def before_train(self, runner: Any) -> None:
        """Write down where it goes on."""
        self.began = time.monotonic()
        if runner.rank == 0:
            self.ledger.add('resumed', runner.iter)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Write down a step."""
        if runner.rank == 0:
            self.ledger.add('step', runner.iter + 1)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Write down a validation."""
        if runner.rank == 0:
            self.ledger.add('validated', runner.iter, *(f'{name}={value!r}' for name, value in sorted((metrics or {}).items())))


class FileOperations:
    """Counts what this process does to files while it writes checkpoints, and acts at one of these points.

    Args:
        ledger: for the checkpoints that are complete.
        at: which point, from 1; None for none.
        act: called there with the point's name; where it raises, the operation fails.
    """

    def __init__(self, ledger: Ledger, at: int | None = None, act: Callable[[str], None] | None = None) -> None:
        self.ledger, self.count, self._at, self._act = ledger, 0, at, act
        self._lock = threading.Lock()

    def point(self, name: str) -> None:
        """Pass a point."""
        with self._lock:
            self.count += 1
            here = self.count == self._at
        if here and self._act is not None:
            self._act(name)

    def install(self) -> None:
        """Watch from now on; for the life of the process."""
        for owner, attribute in ((os, 'fsync'), (Path, 'replace'), (Path, 'unlink')):
            setattr(owner, attribute, self._around(getattr(owner, attribute), attribute))
        save = torch.save

        def watched_save(content: Any, file: Any, **options: Any) -> None:
            save(content, _Pieces(file, self.point), **options)

        def watched_write_checkpoint(checkpoint: Any, path: Path) -> None:
            write_checkpoint(checkpoint, path)
            self.point(BETWEEN)
            if 'optimizer' in checkpoint:
                self.ledger.add('saved', checkpoint['meta']['iter'], path.name)

        for module, function in ((torch, watched_save), (checkpoint_hook, watched_write_checkpoint)):
            setattr(module, function.__name__.removeprefix('watched_'), function)

    def _around(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            self.point(f'before {name}')
            result = function(*arguments, **options)
            self.point(f'after {name}')
            return result

        return watched


class _Pieces:
    """A file that passes a point at some of the pieces written to it."""

    def __init__(self, file: Any, point: Callable[[str], None]) -> None:
        self._file, self._point, self._pieces = file, point, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, piece: Any) -> Any:
        """Write a piece."""
        self._pieces += 1
        if self._pieces % 16 == 1:
            self._file.flush()
            self._point('within a checkpoint')
        return self._file.write(piece)


def kill_here(ledger: Ledger) -> Callable[[str], None]:
    """An act for ``FileOperations``: SIGKILL, after writing down where."""
    def act(name: str) -> None:
        ledger.add('killed', name)
        os.kill(os.getpid(), signal.SIGKILL)
        threading.Event().wait()  # this thread may run on for a moment

    return act


def fail_here(ledger: Ledger, number: int) -> Callable[[str], None]:
    """An act for ``FileOperations``: the operation fails as the system would have it fail, with error ``number``."""
    def act(name: str) -> None:
        if name == BETWEEN:
            return
        ledger.add('failed', name)
        raise OSError(number, os.strerror(number))

    return act
