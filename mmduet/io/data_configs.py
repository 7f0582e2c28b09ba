"""Configs in YAML and JSON stay data: what would make the host run a program is refused before it reads them."""
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mmduet.io.errors import DataError
from mmduet.io.pickles import VALUES_PER_BYTE, require_bounded
from mmduet.io.text import parse_json, read_text

SUFFIXES = ('.yaml', '.yml', '.json')
# More than any training config; a text of brackets alone would take YAML's parser minutes.
MOST_BYTES = 2**20
_DEEPEST_BASE = 16


def check_data_config(path: Path, depth: int = 0) -> None:
    """Whether a config of one of ``SUFFIXES``, and those it is based on, make plain values.

    Raises:
        DataError: it is no such file, no mapping, refers to itself or to endless copies of a part, or names a program to run: a
            base in Python or on the web, or modules to import.
    """
    content = _read(path)
    if not isinstance(content, Mapping):
        raise DataError(f'{path} is no config: it must be a mapping, and is a {type(content).__name__}')
    try:
        require_bounded(content, VALUES_PER_BYTE * path.stat().st_size)
    except DataError as error:
        raise DataError(f'{path} is not read: it holds {error}') from error
    if 'custom_imports' in content:
        raise DataError(f'{path} names modules to import, which run: do that in a config in Python')
    bases = content.get('_base_', [])
    for base in bases if isinstance(bases, list) else [bases]:
        if not isinstance(base, str) or '://' in base or '::' in base or Path(base).suffix not in SUFFIXES:
            raise DataError(f'{path} is based on {base!r:.100}: a config in {path.suffix[1:].upper()} is data, and its bases '
                            f'must end in {", ".join(SUFFIXES)}')
        if depth == _DEEPEST_BASE:
            raise DataError(f'{path} is based on configs more than {_DEEPEST_BASE} deep')
        if not (path.parent / base).is_file():
            raise DataError(f'{path}: there is no base {base}: {path.parent / base} is not there')
        check_data_config(path.parent / base, depth + 1)


def _read(path: Path) -> Any:
    text = read_text(path)
    if len(text) > MOST_BYTES:
        raise DataError(f'{path} has {len(text):,} letters, more than the {MOST_BYTES:,} that are read of a config')
    if path.suffix == '.json':
        return parse_json(text, str(path))
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f'{path} cannot be read: {error}') from error
