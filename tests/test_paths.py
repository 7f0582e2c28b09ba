from pathlib import Path

import pytest

from mmduet.paths import find_file


def test_files_of_the_package_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_file('mmduet/registry.py').is_file()
    (tmp_path / 'here.txt').write_text('x')
    assert find_file('here.txt') == Path('here.txt')


def test_a_missing_file_is_named_with_both_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f'gone.txt: not found from {tmp_path} nor in'):
        find_file('gone.txt')
