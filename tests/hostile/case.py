"""A crafted file, the doors it is brought to, and what each must say: one sentence that refuses it, or a harmless value."""
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmduet.engine.checkpoint import CheckpointError
from mmduet.io.failures import describe_failure

# Everything hostile makes a folder or a file of this name if it is run, or in the end is found under it.
MARK = 'hostile_mark'
COMMAND = f'mkdir {MARK}'
# What a door may raise; anything else is a traceback for the user.
REFUSALS = (ValueError, FileNotFoundError, CheckpointError)


@dataclass(frozen=True)
class Harmless:
    """The value that reading gives, where nothing is refused."""

    value: Any


@dataclass(frozen=True)
class Case:
    """One crafted file.

    Args:
        name: unique, in words.
        make: writes it into an empty folder and returns what the doors take, mostly its path.
        doors: readers by name.
        expected: a regular expression that the sentence holds, file and reason; or the value.
        program: sentences of errors that only the tools' common door turns into words count too.
    """

    name: str
    make: Callable[[Path], Any]
    doors: Mapping[str, Callable[[Any], Any]]
    expected: str | Harmless


def sentence_of(error: Exception) -> str | None:
    """What the user reads; None where it would be a traceback."""
    return str(error) if isinstance(error, REFUSALS) else describe_failure(error)


class Calls:
    """Pickled, it is a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def content(name: str, data: bytes | str) -> Callable[[Path], Path]:
    """A maker of a file of this name and content."""
    def make(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode('utf-8', 'surrogatepass') if isinstance(data, str) else data)
        return path
    return make


def pipe(name: str) -> Callable[[Path], Path]:
    """A maker of a pipe that nobody writes to."""
    def make(folder: Path) -> Path:
        os.mkfifo(folder / name)
        return folder / name
    return make


def link(name: str, target: str) -> Callable[[Path], Path]:
    """A maker of a symbolic link."""
    def make(folder: Path) -> Path:
        (folder / name).symlink_to(target)
        return folder / name
    return make


def subfolder(name: str) -> Callable[[Path], Path]:
    """A maker of a folder with a name of a file."""
    def make(folder: Path) -> Path:
        (folder / name).mkdir()
        return folder / name
    return make


def no_files(name: str, suffix: str) -> dict[str, Callable[[Path], Path]]:
    """What stands in the place of a file and is none: a device, a pipe, a folder, a broken link, a name too long, nothing."""
    return {'an endless device': link(name, '/dev/zero'), 'a pipe': pipe(name), 'a folder': subfolder(name),
            'a link to nothing': link(name, 'gone'), 'a link to itself': link(name, name),
            'a name that is too long': lambda folder: folder / ('a' * 300 + suffix)}
