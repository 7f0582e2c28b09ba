import importlib.util

import pytest

from mmduet.visualization import letters


@pytest.fixture(autouse=True)
def fresh():
    letters.find_letters.cache_clear()
    yield
    letters.find_letters.cache_clear()


def test_letters_are_of_one_width_and_grow_with_their_size():
    small, large = letters.find_letters(10), letters.find_letters(20)
    assert small.getlength('iii') == small.getlength('WWW') and large.getlength('W') > 1.8 * small.getlength('W')
    assert small.getname()[0] == 'DejaVu Sans Mono' and small.size == 10


def test_without_matplotlib_they_are_pillows(monkeypatch):
    monkeypatch.setattr(letters, 'find_spec', lambda name: None)
    assert importlib.util.find_spec('matplotlib') is not None
    assert letters.find_letters(12).size == 12 and letters.find_letters(12).getname()[0] != 'DejaVu Sans Mono'
