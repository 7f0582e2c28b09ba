"""What a log shows to a person and what goes into its file alone: a few lines are for people, the rest is for the file."""
import logging
from collections.abc import Iterator
from contextlib import contextmanager

# Lines of MMEngine that come back every epoch and say nothing to people.
_FILE_ONLY = ('Exp name: ', )


class ConsoleFilter(logging.Filter):
    """Let warnings, what is told by ``tell`` and, unless quiet, other lines pass to the console.

    Attributes:
        quiet: whether lines that are not for people are left out: while a run is prepared.
        hidden: beginnings of lines that a progress bar shows instead.
    """

    def __init__(self) -> None:
        super().__init__()
        self.quiet = True
        self.hidden: tuple[str, ...] = ()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is shown."""
        if record.levelno >= logging.WARNING or getattr(record, 'told', False):
            return True
        return not self.quiet and not record.getMessage().startswith((*self.hidden, *_FILE_ONLY))


class RepetitionFilter(logging.Filter):
    """Leave out a line that was written before, unless it is told again or warns."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[int] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is new."""
        if record.levelno >= logging.WARNING or getattr(record, 'told', False):
            return True
        known = hash(record.getMessage())
        new = known not in self._seen
        self._seen.add(known)
        return new


def console_handlers(logger: logging.Logger) -> list[logging.StreamHandler]:  # type: ignore[type-arg]
    """Those that write to the screen."""
    return [handler for handler in logger.handlers
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)]


def watch_console(logger: logging.Logger) -> ConsoleFilter:
    """Put the filters before the handlers of a logger, once; return the one of the console."""
    shown = next((each for handler in logger.handlers for each in handler.filters if isinstance(each, ConsoleFilter)), None)
    if shown is None:
        shown = ConsoleFilter()
        for handler in logger.handlers:
            handler.addFilter(RepetitionFilter())
        for handler in console_handlers(logger):
            handler.addFilter(shown)
    return shown


def tell(logger: logging.Logger, text: str) -> None:
    """Write a line for people: to the console, whatever it leaves out, and to the file."""
    logger.info(text, extra={'told': True})


@contextmanager
def file_only(logger: logging.Logger) -> Iterator[None]:
    """Let lines that are not told and do not warn go to the file alone."""
    shown = watch_console(logger)
    before, shown.quiet = shown.quiet, True
    try:
        yield
    finally:
        shown.quiet = before
