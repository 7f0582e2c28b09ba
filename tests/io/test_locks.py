import json
import os
import signal
import socket

import pytest

from mmduet.io.locks import LockedError, locked, reading


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


def test_many_read_at_once_and_nobody_writes_meanwhile(tmp_path):
    with reading(tmp_path), reading(tmp_path), \
            pytest.raises(LockedError, match='is in use by another process'), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_what_is_being_written_is_not_read_and_the_writer_is_named(tmp_path):
    with locked(tmp_path), pytest.raises(LockedError, match=f'is being written by process {os.getpid()} on'), \
            reading(tmp_path):
        pass
    with reading(tmp_path):
        pass


def test_what_is_not_there_is_not_locked_for_reading(tmp_path):
    with reading(tmp_path / 'gone'):
        pass
    assert not (tmp_path / 'gone').exists()


def test_a_writer_that_was_killed_lets_others_read_while_a_process_that_it_forked_lives(tmp_path):
    reading_end, writing_end = os.pipe()
    child = os.fork()
    if child == 0:
        with locked(tmp_path):
            if (worker := os.fork()) == 0:
                signal.pause()
            os.write(writing_end, str(worker).encode())
            signal.pause()
    worker = int(os.read(reading_end, 20))
    try:
        with pytest.raises(LockedError), reading(tmp_path):
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with reading(tmp_path):
            pass
        with locked(tmp_path):
            pass
    finally:
        os.kill(worker, signal.SIGKILL)
