"""Which mmduet this is: its version and, in a checkout, its commit."""
import subprocess
from functools import cache
from pathlib import Path

from mmduet import __version__
from mmduet.io.files import PACKAGE_PARENT


def find_commit(folder: Path = PACKAGE_PARENT) -> str | None:
    """The commit of a checkout, with a plus where tracked files were changed since; None where it is no checkout."""
    if not (folder / '.git').exists():
        return None
    try:
        # Reading alone: git would refresh its index by the way, and leave a lock where it is killed or the disk is full.
        words = [subprocess.run(['git', '--no-optional-locks', '-C', str(folder), *command], capture_output=True, text=True,
                                check=True).stdout.strip()
                 for command in (('rev-parse', '--short=12', 'HEAD'), ('status', '--porcelain', '--untracked-files=no'))]
    except (OSError, subprocess.CalledProcessError):
        return None
    return words[0] + ('+' if words[1] else '')


@cache
def commit() -> str | None:
    """That of this package when it was asked for first, as a training may last longer than its checkout."""
    return find_commit()


def describe_version() -> str:
    """``mmduet 0.1.0 (commit 0123456789ab)``; without the commit outside a checkout."""
    return f'mmduet {__version__}' + (f' (commit {found})' if (found := commit()) else '')
