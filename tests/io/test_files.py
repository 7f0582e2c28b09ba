import errno
import hashlib
import os
from pathlib import Path

import pytest

from mmduet.io.errors import DataError
from mmduet.io.files import (
    checked_name,
    find_file,
    is_same_file,
    open_regular,
    remove_partial,
    replacing,
    require_apart,
    require_writable,
    sha256_of,
    stays_inside,
    write_atomically,
    write_together,
)

# The first example of FIPS 180-4.
ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'


def test_files_of_the_package_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_file('mmduet/registry.py').is_file()
    (tmp_path / 'here.txt').write_text('x')
    assert find_file('here.txt') == Path('here.txt')


def test_a_missing_file_is_named_with_both_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f'gone.txt: not found from {tmp_path} nor in'):
        find_file('gone.txt')


@pytest.mark.parametrize('source', [b'abc', memoryview(b'abc'), [b'a', b'', b'bc'], iter([b'ab', b'c'])])
def test_sha256_is_that_of_the_standard_whole_or_in_pieces(source):
    assert sha256_of(source) == ABC


def test_sha256_of_a_file_larger_than_a_block_is_that_of_its_content(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / 'x').write_bytes(content)
    assert sha256_of(tmp_path / 'x') == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize('content', ['caf\u00e9\n', b'\x00\xff'])
def test_a_file_is_written_whole_and_nothing_stays_beside_it(tmp_path, content):
    path = tmp_path / 'x.json'
    path.write_text('old')
    write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / 'x'
    write_atomically(path, b'old')

    def full(descriptor):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='No space left'):
        write_atomically(path, b'new')
    assert path.read_bytes() == b'old' and list(tmp_path.iterdir()) == [path]


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / 'x'
    path.write_text('old')
    with pytest.raises(KeyError), replacing(path) as partial:
        partial.write_text('ne')
        assert path.read_text() == 'old' and partial.parent == path.parent
        raise KeyError
    assert path.read_text() == 'old' and list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    for name in ('.epoch_1.pth.77.partial', 'epoch_1.pth', '.hidden', 'a.partial'):
        (tmp_path / name).touch()
    remove_partial(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['.hidden', 'a.partial', 'epoch_1.pth']


def test_all_files_are_written_and_nothing_else(tmp_path):
    write_together({tmp_path / 'deep/a.html': 'ä', tmp_path / 'deep/a.json': [b'{', memoryview(b'}')]})
    found = {path.name: path.read_text(encoding='utf-8') for path in (tmp_path / 'deep').iterdir()}
    assert found == {'a.html': 'ä', 'a.json': '{}'}


def test_after_an_error_with_one_of_several_files_all_are_as_they_were(tmp_path):
    (tmp_path / 'a.html').write_text('old')
    (tmp_path / 'file').write_text('no folder')
    with pytest.raises(OSError, match='file'):
        write_together({tmp_path / 'a.html': 'new', tmp_path / 'file/a.json': '{}'})
    assert (tmp_path / 'a.html').read_text() == 'old'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.html', 'file']


def test_a_letter_that_no_file_can_hold_becomes_a_question_mark(tmp_path):
    write_together({tmp_path / 'a.html': 'a\ud800b'})
    assert (tmp_path / 'a.html').read_text() == 'a?b'


@pytest.mark.parametrize(('name', 'inside'), [
    ('a.jpg', True), ('a/b.jpg', True), ('a..b/c', True), ('', True), ('./a', True), ('..', False), ('a/../../b', False),
    ('a\\..\\..\\b', False), ('/a', False), ('\\a', False), ('//host/share/a', False), ('C:a', False), ('c:\\a', False),
    ('a\0b', False)])
def test_names_that_lead_out_of_a_folder_are_told_on_every_system(name, inside):
    assert stays_inside(name) is inside


@pytest.mark.parametrize('name', ['val', 'testA', 'refcoco+', 'flickr30k (any)', 'données', 'a' * 200])
def test_a_plain_name_is_given_back(name):
    assert checked_name(name, 'the split') == name


@pytest.mark.parametrize('name', ['', ' ', ' a', 'a ', '.', '..', '.hidden', 'a.', 'a/b', '../a', 'a\\b', 'C:a', 'a\0b', 'a\nb',
                                  'NUL', 'com1.jsonl', 'a*', 'a' * 201, 'é' * 101, 5, None, ['a'], True, 'a\u202eb'])
def test_a_name_that_could_be_a_path_is_refused(name):
    with pytest.raises(DataError, match='the split must be a plain name'):
        checked_name(name, 'the split')


def test_an_endless_file_and_a_pipe_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    for path in (Path('/dev/zero'), tmp_path / 'pipe'):
        with pytest.raises(DataError, match='is no regular file'), open_regular(path, 10):
            pass


def test_a_file_is_read_up_to_its_limit(tmp_path):
    (tmp_path / 'a').write_bytes(b'12345')
    with open_regular(tmp_path / 'a', 5) as file:
        assert file.read() == b'12345'
    with pytest.raises(DataError, match=r'has 5 bytes, more than the 4 that are read'), open_regular(tmp_path / 'a', 4):
        pass


def test_a_place_that_cannot_be_written_to_is_known_before(tmp_path):
    require_writable(tmp_path / 'a/b/c.json')
    assert not list(tmp_path.iterdir())
    (tmp_path / 'file').write_text('x')
    require_writable(tmp_path / 'file')
    for path, kind, named in ((tmp_path, IsADirectoryError, tmp_path),
                              (tmp_path / 'file/a/b', NotADirectoryError, tmp_path / 'file')):
        with pytest.raises(kind) as caught:
            require_writable(path)
        assert caught.value.filename == str(named)
    with pytest.raises(OSError, match='File name too long'):
        require_writable(tmp_path / ('a' * 300))
    if Path('/proc/sys/kernel').is_dir():
        with pytest.raises(PermissionError):
            require_writable(Path('/proc/sys/kernel/a'))


def test_a_file_that_is_read_is_not_written_to_whatever_path_leads_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('a.png').write_text('x')
    Path('b.png').write_text('x')
    Path('link.png').symlink_to('a.png')
    for path in ('a.png', tmp_path / 'a.png', './a.png', 'link.png'):
        with pytest.raises(DataError, match=r'a?(link)?\.png is read here, and what is written would take its place'):
            require_apart(path, ['the red ball', 'https://x.org/a.png', tmp_path / 'a.png'])
    require_apart('b.png', ['a.png', 'gone.png', 'n' * 5000, 'a\0b'])
    require_apart('gone.png', ['gone.png'])
    assert is_same_file('.', tmp_path) and not is_same_file('gone', 'gone')
