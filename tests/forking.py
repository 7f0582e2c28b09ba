"""Calls in child processes that have all imports already.

Importing torch and MMDetection takes longer than most of what is tested. A process is forked once, when the modules of the
tests are imported and no test has run: it has the imports, and neither threads nor what other tests left behind. It forks a
child for every call. A call that never ends is left to whoever waits for the tests.
"""
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NoReturn

_FORK = get_context('fork')


@dataclass(frozen=True)
class Call:
    """A function of a module, so that it can be pickled, and the process that calls it.

    Args:
        environ: changes to the environment; ``None`` unsets.
    """

    function: Callable[..., object]
    arguments: tuple[object, ...] = ()
    cwd: str | None = None
    environ: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Finished:
    """How a process ended, as ``subprocess.run`` says it."""

    returncode: int
    stdout: str
    stderr: str


def run_calls(calls: list[Call]) -> list[Finished]:
    """Make calls side by side, each in a process of its own; one that fails ends the others."""
    if _Server.current is None:
        start()
    server, _ = _Server.current
    with tempfile.TemporaryDirectory() as folder:
        outputs = [(f'{folder}/{number}.out', f'{folder}/{number}.err') for number in range(len(calls))]
        for path in (path for paths in outputs for path in paths):
            Path(path).touch()  # a call that is ended at once opens none
        server.send(list(zip(calls, outputs, strict=True)))
        codes = server.recv()
        return [Finished(code, *(Path(path).read_text() for path in paths))
                for code, paths in zip(codes, outputs, strict=True)]


def run_ranks(world: int, function: Callable[..., object], *arguments: object, cwd: str | os.PathLike[str] | None = None,
              **environ: str | None) -> list[Finished]:
    """Call ``function`` on ``world`` ranks, which find each other by the environment, as those that torchrun starts."""
    from torch.distributed import TCPStore
    # The port is that of a store which stays open, so that nobody else can take it.
    store = TCPStore('127.0.0.1', 0, is_master=True, wait_for_workers=False)
    shared = {'WORLD_SIZE': str(world), 'LOCAL_WORLD_SIZE': str(world), 'MASTER_ADDR': '127.0.0.1',
              'MASTER_PORT': str(store.port), 'TORCHELASTIC_USE_AGENT_STORE': 'True', 'TORCHELASTIC_RESTART_COUNT': '0'}
    return run_calls([Call(function, arguments, cwd and str(cwd),
                           {**shared, 'RANK': str(rank), 'LOCAL_RANK': str(rank), **environ}) for rank in range(world)])


class _Server:
    current: tuple[Connection, int] | None = None


def start() -> None:
    """Fork the process that forks the children, from the imports of now."""
    if _Server.current is not None:
        return
    ours, theirs = _FORK.Pipe()
    # Not by multiprocessing, which would wait for it at the end, when it waits for us.
    process = os.fork()
    if process == 0:
        ours.close()
        _serve(theirs)
    theirs.close()
    _Server.current = ours, process


def stop() -> None:
    """End the process that forks the children, if there is one."""
    if _Server.current is not None:
        requests, process = _Server.current
        _Server.current = None
        # Closing is not enough: a worker of a data loader that is still there has inherited this end of the pipe.
        requests.send(None)
        requests.close()
        os.waitpid(process, 0)


def _serve(requests: Connection) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while (calls := requests.recv()) is not None:
            children = [_FORK.Process(target=_call, args=request) for request in calls]
            for child in children:
                child.start()
            requests.send(_wait(children, requests))
    except (EOFError, BrokenPipeError):
        pass  # nobody asks any more
    finally:
        os._exit(0)  # without what the tests' process does at its end


def _wait(children: list[BaseProcess], requests: Connection) -> list[int | None]:
    running = {child.sentinel: child for child in children}
    while running:
        ready = connection.wait([*running, requests])
        # Nothing is asked meanwhile: what can be read is the end of the process that asks.
        ended = [running.pop(sentinel) for sentinel in ready if sentinel is not requests]
        for child in ended:
            child.join()
        if requests in ready or any(child.exitcode for child in ended):
            for child in running.values():
                child.kill()
    return [child.exitcode for child in children]


def _call(call: Call, outputs: tuple[str, str]) -> None:
    for number, path in enumerate(outputs, start=1):
        with open(path, 'w') as file:  # noqa: PTH123
            os.dup2(file.fileno(), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout, sys.stderr = (open(number, 'w', buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    for name, value in call.environ.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    if call.cwd is not None:
        os.chdir(call.cwd)
    try:
        code = call.function(*call.arguments)
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    # Processes and threads of the call end as at the end of any process.
    sys.exit(int(code or 0))
