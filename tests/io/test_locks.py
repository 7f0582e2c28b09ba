import json
import os
import signal
import socket

import pytest

from mmduet.io.locks import LockedError, locked


def take(folder, answer):
    """Take the lock in a child and keep it until the child is killed."""
    child = os.fork()
    if child == 0:
        with locked(folder):
            os.write(answer, b'.')
            signal.pause()
        os._exit(0)
    return child


def test_a_folder_is_for_one_at_a_time_and_the_other_is_named(tmp_path):
    with locked(tmp_path / 'work'):
        assert json.loads((tmp_path / 'work/.lock.json').read_text())['process'] == os.getpid()
        with pytest.raises(LockedError, match=rf"work is in use by process {os.getpid()} on '{socket.gethostname()}'"), \
                locked(tmp_path / 'work'):
            pass
    with locked(tmp_path / 'work'):
        pass
    assert not (tmp_path / 'work/.lock.json').exists()


def test_the_lock_of_a_process_that_was_killed_yields(tmp_path):
    reading, writing = os.pipe()
    child = take(tmp_path, writing)
    assert os.read(reading, 1) == b'.'
    with pytest.raises(LockedError, match=f'in use by process {child} on'), locked(tmp_path):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert (tmp_path / '.lock.json').exists()
    with locked(tmp_path):
        assert json.loads((tmp_path / '.lock.json').read_text())['process'] == os.getpid()


def test_a_holder_that_cannot_be_told_is_another_process(tmp_path):
    with locked(tmp_path):
        (tmp_path / '.lock.json').write_text('{')
        with pytest.raises(LockedError, match='is in use by another process'), locked(tmp_path):
            pass


def test_after_an_error_the_folder_is_free(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path):
        pass
