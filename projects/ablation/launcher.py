"""Run jobs side by side, each in a process of its own that starts with everything imported."""
import math
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, forkserver, get_context, parent_process
from pathlib import Path
from typing import Any

import torch

from mmduet.io.files import PACKAGE_PARENT

# Importing takes seconds; the server imports once, and every job starts as a copy of it.
PRELOADED = ('projects.ablation.run', 'projects.ablation.scoring', 'mmduet.models', 'mmduet.datasets', 'mmduet.evaluation',
             'mmduet.engine', 'mmdet.models', 'open_clip', 'transformers.models.bert.modeling_bert', 'yapf.yapflib.yapf_api')


@dataclass(frozen=True, slots=True)
class Finished:
    """A job that ended.

    Attributes:
        index: its position among the jobs.
        failed: whether its process ended otherwise than well.
        log: what it printed.
    """

    index: int
    failed: bool
    log: Path


def run_jobs(function: Callable[[Any], Any], jobs: Sequence[tuple[Any, Path]], side_by_side: int) -> Iterator[Finished]:
    """Call ``function(argument)`` for every job, and yield each as it ends; a failed one does not stop the others.

    Jobs end with this process, however it ends.

    Args:
        function: importable by its name.
        jobs: the argument, which can be pickled, and the file of the job's log.
        side_by_side: how many run at a time.
    """
    context = _start_server()
    waiting = list(enumerate(jobs))[::-1]
    running: dict[Any, tuple[int, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < side_by_side:
                index, (argument, log) = waiting.pop()
                log.parent.mkdir(parents=True, exist_ok=True)
                process = context.Process(target=_call, args=(function, argument, str(log), str(Path.cwd())))
                process.start()
                running[process.sentinel] = (index, process)
            for sentinel in connection.wait(list(running)):
                index, process = running.pop(sentinel)
                process.join()
                yield Finished(index, process.exitcode != 0, jobs[index][1])
    finally:
        for _, process in running.values():
            process.terminate()


def time_left(elapsed: float, ended: int, total: int, side_by_side: int) -> float:
    """What is left of ``total`` jobs of about one length, of which ``ended`` ended in ``elapsed``; in its unit, at least 0."""
    rounds = math.ceil(total / side_by_side)
    return max(0.0, elapsed / math.ceil(ended / side_by_side) * rounds - elapsed)


def _start_server() -> Any:
    """The context of processes that start as copies of a server; the server imports what it can, where it can.

    It does not take over the search path of this process, only the environment's, which may be relative.
    """
    context = get_context('forkserver')
    context.set_forkserver_preload(list(PRELOADED))
    before = os.environ.get('PYTHONPATH')
    os.environ['PYTHONPATH'] = os.pathsep.join([str(PACKAGE_PARENT), *sys.path])
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ['PYTHONPATH']
        else:
            os.environ['PYTHONPATH'] = before
    return context


def _call(function: Callable[[Any], Any], argument: Any, log: str, folder: str) -> None:
    """In the process of the job: print to the log alone, compute on one thread, and end with a status."""
    os.chdir(folder)
    with open(log, 'w', encoding='utf-8', buffering=1) as file:  # noqa: PTH123 (its descriptor replaces two others)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    threading.Thread(target=_end_with_launcher, daemon=True).start()
    torch.set_num_threads(1)
    try:
        function(argument)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _end_with_launcher() -> None:
    """End this process with the one that asked for the job: killed outright, that one could not end its jobs itself."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def log_end(path: Path, lines: int = 12) -> str:
    """The last lines of a log, indented."""
    text = path.read_text(encoding='utf-8', errors='replace') if path.exists() else ''
    return '\n'.join(f'    {line}' for line in text.splitlines()[-lines:]) or '    (it printed nothing)'
