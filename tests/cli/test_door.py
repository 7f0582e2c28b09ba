import logging
import os
import subprocess
import sys

import pytest
import torch

from mmduet.cli import running
from mmduet.cli.door import at_the_door, describe
from mmduet.engine.checkpoint import CheckpointError
from mmduet.engine.config_tools import ConfigError
from mmduet.io.errors import DataError
from tests.forking import Call, run_calls, run_ranks

FULL = 'cannot be written: no room is left on the disk; make room, or name another folder; the old file is as it was'
MEMORY = 'the memory of this machine is not enough: take a smaller batch_size, fewer num_workers or a smaller cache_mb'


def leaving(error):
    """What a command that ends with an error exits with."""
    def job():
        raise error
    with pytest.raises(SystemExit) as caught:
        running.run(job)
    return caught.value.code


@pytest.mark.parametrize(('error', 'said'), [
    (DataError('a.png is empty'), 'a.png is empty'), (ConfigError('no such key'), 'no such key'),
    (CheckpointError('a.pth is cut'), 'a.pth is cut'),
    (FileNotFoundError('there is no config a'), 'there is no config a'), (MemoryError(), MEMORY),
    (OSError(28, 'No space left on device', 'a'), f'a {FULL}')])
def test_an_error_is_one_sentence(error, said):
    assert leaving(error) == f'error: {said}'  # Python prints it and ends with 1


def test_a_fault_of_ours_shows_its_traceback_and_so_does_any_error_where_it_is_asked_for(monkeypatch):
    with pytest.raises(ZeroDivisionError):
        leaving(ZeroDivisionError())
    monkeypatch.setenv('MMDUET_TRACEBACK', '1')
    with pytest.raises(DataError):
        leaving(DataError('x'))


def test_what_an_error_comes_from_is_said():
    try:
        try:
            raise OSError(30, 'Read-only file system', '/mnt/a')
        except OSError as inner:
            raise RuntimeError('something of the host') from inner
    except RuntimeError as error:
        assert describe(error) == '/mnt/a cannot be written: its disk is read-only; name another folder'
    memory = ConfigError("can't allocate memory: you tried")
    memory.__cause__ = RuntimeError(str(memory))
    assert describe(memory) == MEMORY
    loop = RuntimeError('a')
    loop.__cause__ = loop
    assert describe(loop) is None


def test_ctrl_c_is_a_sentence_and_130(capsys):
    assert leaving(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == 'stopped by Ctrl-C\n'


def test_what_was_handled_when_a_fault_of_ours_came_up_does_not_hide_it():
    with pytest.raises(KeyError):
        try:
            raise FileNotFoundError('there is no config a')
        except FileNotFoundError:
            leaving(KeyError('ours'))


def test_a_log_that_cannot_be_written_is_said_once(capsys):
    logger = logging.Logger('full')
    logger.addHandler(logging.FileHandler('/dev/full'))
    with at_the_door():
        for number in range(5):
            logger.warning('line %d', number)
    logger.handlers[0].stream = None
    said = f'a file {FULL}'
    assert capsys.readouterr().err == f'warning: the log is not whole: {said}\n'


def print_much(count, path=None):
    if path is not None:
        os.dup2(os.open(path, os.O_WRONLY), 1)
    running.run(lambda: [print('line') for _ in range(count)])


def _wait_for_one_that_ends():
    torch.distributed.init_process_group('gloo')
    if torch.distributed.get_rank() == 1:
        os._exit(0)  # before a training watches its ranks
    with pytest.raises(SystemExit) as caught:
        running.run(torch.distributed.barrier)
    print(caught.value)
    os._exit(0)


def test_a_rank_that_ended_before_the_training_is_a_sentence():
    assert run_ranks(2, _wait_for_one_that_ends)[0].stdout == (
        'error: another process of this program ended, or cannot be reached any more, and this one cannot go on without it: '
        'its own output says why\n')


def test_a_full_standard_output_is_said():
    done, = run_calls([Call(print_much, (3, '/dev/full'))])
    assert done.returncode == 1
    assert done.stderr == f'error: the standard output {FULL}\n'


def test_a_reader_that_has_had_enough_is_nobodys_fault():
    code = 'from mmduet.cli.running import run; run(lambda: [print("line") for _ in range(10**5)])'
    with subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b''
    assert process.returncode == 1
