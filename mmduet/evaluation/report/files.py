"""Writing several files so that no reader ever finds half of one."""
import os
from collections.abc import Mapping
from pathlib import Path


def write_together(contents: Mapping[Path, str]) -> None:
    """Write every file beside its place, then rename all; after an error the old files are as they were.

    Raises:
        OSError: a folder cannot be written to or the disk is full; nothing half-written is left.
    """
    fresh = {path: path.with_name(f'{path.name}.{os.getpid()}.new') for path in contents}
    try:
        for path, text in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            # JSON may spell half of a pair of surrogates, which no file can hold.
            fresh[path].write_text(text, encoding='utf-8', errors='replace')
        for path, beside in fresh.items():
            beside.replace(path)
    finally:
        for beside in fresh.values():
            beside.unlink(missing_ok=True)
