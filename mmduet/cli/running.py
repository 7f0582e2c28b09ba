"""How a command is parsed, run and ended: its threads, its output, its errors. Imports nothing heavy."""
from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from mmduet.cli.door import at_the_door

T = TypeVar('T')

YOUNG_OBJECTS = 50_000  # that are there before Python looks for garbage among them
THREAD_VARIABLES = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS')


def set_threads(environ: dict[str, str] | os._Environ[str] = os.environ) -> None:
    """Divide the cores among the processes of this machine, before torch is imported; values that are set are kept."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    said = environ.get('LOCAL_WORLD_SIZE', environ.get('SLURM_NTASKS_PER_NODE', '1'))
    processes = max(int(said), 1) if said.isdecimal() and len(said) < 10 else 1
    # One number for both pools: two that disagree run as the larger, and wait for each other on a full machine.
    threads = next((environ[name] for name in THREAD_VARIABLES if name in environ), str(max(cores // processes, 1)))
    for name in THREAD_VARIABLES:
        environ.setdefault(name, threads)


def print_anything() -> None:
    """Let standard output and error spell out what their encoding lacks, as cp1252 on Windows does, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help that says the default of every flag that has one, where its own words do not."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        said = action.help
        silent = said is None or 'default' in said or isinstance(action.default, bool) or action.default in (None, [], (), '')
        return said if silent or action.default == argparse.SUPPRESS else f'{said} (default: %(default)s)'


def fill_parser(parser: argparse.ArgumentParser, module: ModuleType) -> None:
    """Add the arguments of the command that a module is.

    A module has ``add_arguments(parser)`` and ``run(args)``, which returns the exit code. What an argument alone cannot tell is
    checked by ``validate(args)``, set by ``parser.set_defaults``, with an ``argparse.ArgumentTypeError``. ``writes(args)``, set
    likewise, gives the paths that it will write, or None for one: what the system would refuse is said before the work.
    ``reads(args)`` gives the files that it works on, None for one; none of them is written to.
    """
    parser.formatter_class, parser.description = HelpFormatter, module.__doc__
    parser.set_defaults(run=module.run, parser=parser, validate=None, writes=None, reads=None)
    module.add_arguments(parser)


def check_arguments(args: argparse.Namespace) -> argparse.Namespace:
    """The arguments, if they go together; ends the process with usage and reason otherwise."""
    if args.validate is not None:
        try:
            args.validate(args)
        except argparse.ArgumentTypeError as error:
            args.parser.error(str(error))
    return args


def require_outputs(args: argparse.Namespace) -> None:
    """Raise now what writing the results would raise after hours of work; a ``DataError`` where they replace what is read."""
    from mmduet.io.files import require_apart, require_writable
    sources = [path for path in args.reads(args) if path is not None] if args.reads is not None else []
    for path in args.writes(args) if args.writes is not None else ():
        if path is not None:
            require_apart(path, sources)
            require_writable(Path(path))


def parse_args(name: str, arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line of a script that runs the command of the module ``name``."""
    parser = argparse.ArgumentParser()
    fill_parser(parser, sys.modules[name])
    return check_arguments(parser.parse_args(arguments))


def main(name: str, arguments: Sequence[str] | None = None) -> int:
    """Run the command of the module ``name`` as a script; returns the exit code."""
    print_anything()
    return execute(parse_args(name, arguments))


def execute(args: argparse.Namespace) -> int:
    """Run what was parsed; returns the exit code, which is 1 after the sentence that says what the user's mistake was."""
    set_threads()
    # Importing makes a million objects that stay; looking through them for garbage at every 700th takes a sixth of the start.
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    command: Callable[[argparse.Namespace], int] = args.run

    def job() -> int:
        require_outputs(args)
        return command(args)

    try:
        return run(job)
    except SystemExit as end:
        if not isinstance(end.code, str):
            raise
        print(end.code, file=sys.stderr)
        return 1


def run(job: Callable[[], T]) -> T:
    """Run a job; an error of the user's input or of the system ends the process with a sentence, as ``door`` says."""
    with at_the_door():
        result = job()
        if 'mmduet.engine.distributed' in sys.modules:
            from mmduet.engine.distributed import leave
            leave()
        return result
