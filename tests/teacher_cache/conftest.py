"""A cache for all tests of it, which takes longer to make than they do."""
import shutil

import pytest

from tests.tiny_cache import make_cache_root, write_cache


@pytest.fixture(scope='session')
def made(tmp_path_factory):
    """A data root and its cache."""
    folder = tmp_path_factory.mktemp('cached')
    root = make_cache_root(folder / 'root')
    return root, write_cache(root, folder / 'cache', '--distractors', '--splits', 'train', 'val')


@pytest.fixture
def copied(made, tmp_path):
    """The same, to be spoilt."""
    return shutil.copytree(made[0], tmp_path / 'root'), shutil.copytree(made[1], tmp_path / 'cache')
