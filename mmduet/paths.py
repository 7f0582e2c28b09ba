"""Where a file named in a config lies."""
from pathlib import Path

PACKAGE_PARENT = Path(__file__).resolve().parents[1]


def find_file(name: str | Path) -> Path:
    """Return the path itself if it exists, else the same path beside the package (``mmduet/...`` works from anywhere).

    Raises:
        FileNotFoundError: neither exists; names both.
    """
    for path in (Path(name), PACKAGE_PARENT / name):
        if path.exists():
            return path
    raise FileNotFoundError(f'{name}: not found from {Path.cwd()} nor in {PACKAGE_PARENT}')
