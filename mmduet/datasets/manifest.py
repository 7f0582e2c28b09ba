"""What a data root says of itself: ``manifest.json``."""
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmduet.datasets.annotation_file import OBJECTS
from mmduet.io.errors import DataError
from mmduet.io.files import checked_name, is_hidden, read_regular

_REQUIRED, _OPTIONAL = ('dataset', 'images'), ('layout', 'protocol', 'collection')


def read_manifest(root: Path) -> dict[str, Any]:
    """The manifest of a data root: ``dataset`` and ``images`` are text, ``splits`` maps names to counts, if it is there.

    Raises:
        DataError: there is none, or it is not one of ``mmduet prepare``.
    """
    path = root / 'manifest.json'
    try:
        manifest = json.loads(read_regular(path))
    except FileNotFoundError as error:
        raise DataError(f'{root} is no data root: it has no manifest.json; make one with mmduet prepare and name it '
                        'with --data-root') from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f'{root} is no data root: {path} cannot be read ({error})') from error
    if problem := _problem(manifest):
        raise DataError(f'{root} is no data root: {path} is not a manifest of mmduet prepare: {problem}')
    return manifest


def split_files(root: Path, splits: Sequence[str] | None = None, hint: str = '') -> dict[str, Path]:
    """Annotation file by split of a data root, of all splits in the order of their names or of ``splits`` in theirs.

    Raises:
        DataError: the data root has no such split; the message ends with ``hint``.
    """
    files = {path.stem: path for path in sorted((root / 'annotations').glob('*.jsonl'))
             if path.stem != OBJECTS and not is_hidden(path.name)}
    for split in splits or ():
        if split not in files:
            raise DataError(f'{root} has no split {split!r}, only {", ".join(files) or "none"}{hint}')
    return files if splits is None else {split: files[split] for split in splits}


def _problem(manifest: Any) -> str | None:
    if not isinstance(manifest, dict):
        return f'it is a {type(manifest).__name__}'
    for name in (*_REQUIRED, *_OPTIONAL):
        value = manifest.get(name)
        if not (isinstance(value, str) and value) if name in _REQUIRED else not isinstance(value, str | None):
            return f'{name!r} must be text, got {value!r}'
    try:
        for name in ('dataset', 'protocol'):  # of folders and of lines in reports
            checked_name(manifest.get(name) or 'none', repr(name))
    except DataError as error:
        return str(error)
    splits = manifest.get('splits', {})
    if not isinstance(splits, dict) or not all(isinstance(counts, dict) for counts in splits.values()):
        return f"'splits' must hold the counts of each split, got {splits!r:.80}"
    return None
