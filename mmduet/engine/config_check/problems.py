"""What is wrong with a config, said all at once."""
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mmduet.engine.config_tools import ConfigError
from mmduet.io.config_files import nearest


class UnreadKeyError(ConfigError):
    """Keys of a config that nobody reads; the message names each with its place and the nearest."""


@dataclass(frozen=True)
class Problem:
    """A key that nobody reads, a name that means nothing, or a value of another kind than is taken.

    Args:
        key: the path of the key, as ``--cfg-options`` takes it.
        sentence: what is wrong with it.
    """

    key: str
    sentence: str


def unknown(key: str, owner: str, known: Sequence[str]) -> Problem:
    """A problem with a key that ``owner`` does not take, with the nearest of those that it takes."""
    last, known = key.rpartition('.')[2], list(dict.fromkeys(known))
    takes = f'. It takes {", ".join(known)}' if known and len(known) <= 12 else ''
    return Problem(key, f'{owner} does not take {last!r}{nearest(last, known) or takes}')


def refuse(problems: Iterable[tuple[Problem, str]]) -> None:
    """Raise an ``UnreadKeyError`` of all problems, each with the place that it was given at; nothing where there are none."""
    lines = [f'{problem.key}{f" ({place})" if place else ""}: {problem.sentence}' for problem, place in problems]
    if len(lines) == 1:
        raise UnreadKeyError(lines[0])
    if lines:
        raise UnreadKeyError('\n  '.join([f'{len(lines)} mistakes in the config:', *lines]))
