"""The door of every command: whatever ends it, the user reads one sentence, and the exit code says which kind of end it was.

| exit code | end |
|---|---|
| 0 | done |
| 1 | refused or failed, with a sentence on standard error |
| 2 | the command line makes no sense |
| 128 + signal | ended by a signal: 130 for Ctrl-C, 143 for SIGTERM |

``MMDUET_TRACEBACK=1`` shows the traceback in the place of the sentence. An error that nobody expected, a fault of ours, always
shows it. Imports nothing heavy.
"""
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mmduet.io.errors import DataError
from mmduet.io.failures import describe_failure, worker_message

TRACEBACK = 'MMDUET_TRACEBACK'
INTERRUPTED = 130
OUTPUT = 'the standard output'
# Errors of the user's input, by name: the modules that define them need PyTorch, which a command that fails early has not
# imported.
_SENTENCES = frozenset({'CheckpointError', 'ConfigError', 'HostError', 'NonFiniteLossError', 'RankLostError',
                        'UnknownTypeError'})


def describe(error: BaseException) -> str | None:
    """The sentence for an error, or for the one that it comes from; None for a fault of ours."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if _is_ours(current):
            cause = current.__cause__
            # Where an error of the system was only passed on as one of the user's config.
            known = describe_failure(cause) if cause is not None and str(cause) == str(current) else None
            return known or worker_message(str(current)) or str(current)
        if sentence := describe_failure(current):
            return sentence
        current = current.__cause__  # what was only being handled when a fault of ours came up explains nothing
    return None


def _is_ours(error: BaseException) -> bool:
    return isinstance(error, DataError) or any(
        kind.__name__ in _SENTENCES and kind.__module__.startswith('mmduet.') for kind in type(error).__mro__)


@contextmanager
def at_the_door() -> Iterator[None]:
    """Let nothing out of a command but a sentence and an exit code, as the module says."""
    said: list[str] = []

    def say(error: BaseException | None) -> None:
        """In the place of a traceback for every line that a log cannot take."""
        sentence = (describe(error) if error is not None else None) or f'{type(error).__name__}: {error}'
        if sentence not in said:
            said.append(sentence)
            with suppress(OSError):
                sys.stderr.write(f'warning: the log is not whole: {sentence}\n')

    def in_thread(ended: threading.ExceptHookArgs) -> None:
        """In the place of the traceback of a thread that writes to a log, as TensorBoard's; a fault of ours shows its own."""
        if isinstance(ended.exc_value, OSError):
            say(ended.exc_value)
        else:
            threading.__excepthook__(ended)

    before, hook = logging.Handler.handleError, threading.excepthook
    handler: Any = logging.Handler
    handler.handleError, threading.excepthook = lambda *_: say(sys.exc_info()[1]), in_thread
    try:
        yield
        _flush()
    except KeyboardInterrupt:
        with suppress(OSError, ValueError):
            print('stopped by Ctrl-C', file=sys.stderr, flush=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError as error:
        if error.filename is not None:
            raise
        _drop_output()  # who reads our output, as ``head`` does, has had enough
        sys.exit(1)
    except Exception as error:
        _name_output(error)
        sentence = None if os.environ.get(TRACEBACK) else describe(error)
        if sentence is None:
            raise
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        raise SystemExit(f'error: {sentence}') from error
    finally:
        handler.handleError, threading.excepthook = before, hook


def _flush() -> None:
    """Write what is still to be written now, when a full disk can be told; at the end of Python it cannot."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop_output()
        error.filename = error.filename or OUTPUT
        raise


def _name_output(error: Exception) -> None:
    """Say of a write that names no file whether it was that of the standard output, which cannot take its text still."""
    if isinstance(error, OSError) and error.errno is not None and error.filename is None:
        try:
            sys.stdout.flush()
        except OSError as again:
            if again.errno == error.errno:
                error.filename = OUTPUT
                _drop_output()


def _drop_output() -> None:
    """Let what is still to be written go to nowhere, so that Python does not fail at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
