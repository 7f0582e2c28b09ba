"""Finding a config: by its path, by its path in the package from any folder, or by its unique name. Imports nothing heavy."""
import contextlib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from mmduet.io.files import CONFIGS, find_file

# Folders of parts that other configs are made of.
_PARTS = frozenset({'_base_', 'ablation'})


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The end of a sentence that names up to three known words like ``word``; empty where none is."""
    near = get_close_matches(word, list(known), n=3, cutoff=cutoff)
    return f'; nearest: {", ".join(near)}' if near else ''


def list_configs() -> list[Path]:
    """The configs of the package that a tool takes, without the parts that they are made of, in alphabetical order."""
    return sorted(path for path in CONFIGS.rglob('*.py')
                  if path.name != '__init__.py' and not _PARTS & set(path.relative_to(CONFIGS).parts))


def find_config(name_or_path: str | Path) -> Path:
    """The file of a config.

    Args:
        name_or_path: a path; a path that begins with ``configs/``, which is taken from the package where there is none here; or
            the name of one of the package's configs, with or without ``.py``, for which a folder may be put before it.

    Raises:
        FileNotFoundError: there is none, or there are several of that name; names the nearest, or all.

    >>> from mmduet.io.config_files import find_config
    >>> find_config('transvg_duet_refcoco') == find_config('configs/duet/transvg_duet_refcoco.py')
    True
    """
    given = Path(name_or_path)
    with contextlib.suppress(FileNotFoundError):
        path = find_file(given)
        if path.is_file():
            return path
    known = {path: path.relative_to(CONFIGS.parent).as_posix() for path in list_configs()}
    words = (given.with_suffix('') if given.suffix == '.py' else given).parts
    found = [path for path in known if words and path.with_suffix('').parts[-len(words):] == words]
    if len(found) == 1:
        return found[0]
    if found:
        raise FileNotFoundError(f'there are several configs {name_or_path}: {", ".join(known[path] for path in found)}')
    near = nearest(given.as_posix(), known.values(), 0.5) or nearest(given.stem, [path.stem for path in known], 0.5)
    raise FileNotFoundError(f'there is no config {name_or_path}{near}')
