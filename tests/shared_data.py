"""Real annotations, photos and parity kits that lie beside a checkout, where they are available."""
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def shared(relative: str) -> Path:
    """Path of a shared file or folder; the test that asks is skipped where it is absent."""
    path = ROOT.parent / 'shared' / relative
    if not path.exists():
        pytest.skip(f'{relative} is not beside this checkout')
    return path
