import errno
import multiprocessing
import os
import resource
import signal
import traceback
from multiprocessing.connection import wait

import pytest
import torch
from safetensors import SafetensorError
from torch.utils.data import DataLoader, Dataset

from mmduet.io.errors import ImageError
from mmduet.io.failures import describe_failure, worker_message
from mmduet.io.files import replacing, write_anew, write_atomically
from tests.limits import limited


def failure(action):
    """The sentence for what an action really raises."""
    with pytest.raises((OSError, MemoryError, RuntimeError)) as caught:
        action()
    return describe_failure(caught.value)


def test_what_the_system_refuses_is_said_with_its_file(tmp_path):
    file = tmp_path / 'a'
    file.write_text('x')
    (tmp_path / 'loop').symlink_to('loop')
    assert failure(lambda: (file / 'b').read_text()) == f'{file}/b: a file stands where a folder is expected'
    assert failure(lambda: tmp_path.read_text()) == f'{tmp_path} is a folder, and a file is expected'
    assert failure(lambda: (tmp_path / 'loop').read_text()) == f'{tmp_path}/loop: its links lead in a circle'
    assert failure(lambda:
        (tmp_path / ('a' * 300)).read_text()).endswith('the name is too long for the file system; name a shorter one')
    assert failure(lambda: (tmp_path / 'b').read_text()).startswith(f'{tmp_path}/b is not there, or no longer')
    assert failure(lambda: file.mkdir()) == f'{file} is there already, and is no folder'
    assert failure(lambda: os.rmdir(tmp_path)) == f'{tmp_path} is a folder that holds other files'  # noqa: PTH106


def test_a_write_that_the_disk_refuses_names_the_file_and_leaves_the_old_one(tmp_path):
    path = tmp_path / 'a.bin'
    path.write_bytes(b'old')
    with limited(resource.RLIMIT_FSIZE, 1000):
        said = failure(lambda: write_atomically(path, bytes(5000)))
    assert said.startswith(f'{path} cannot be written: it would be larger than files may be here')
    assert path.read_bytes() == b'old'
    assert [found.name for found in tmp_path.iterdir()] == ['a.bin']


def test_one_of_many_files_is_written_or_not_there(tmp_path):
    write_anew(tmp_path / 'a', b'x')
    assert (tmp_path / 'a').read_bytes() == b'x'
    with limited(resource.RLIMIT_FSIZE, 1000):
        assert failure(lambda: write_anew(tmp_path / 'b', bytes(5000))).startswith(f'{tmp_path}/b cannot be written')
    assert [found.name for found in tmp_path.iterdir()] == ['a']


def test_a_full_device_is_named(tmp_path):
    def write():
        with replacing(tmp_path / 'a') as partial:
            partial.write_text('whole')
            with open('/dev/full', 'w') as full:  # noqa: PTH123
                full.write('x' * 10_000)
    assert failure(write).startswith(f'{tmp_path}/a cannot be written: no room is left on the disk; make room')
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_place_of_a_file_stays(tmp_path):
    (tmp_path / 'a/b').mkdir(parents=True)
    assert failure(lambda: write_atomically(tmp_path / 'a', 'x')) == f'{tmp_path}/a is a folder, and a file is expected'
    assert [found.name for found in tmp_path.iterdir()] == ['a']


def test_a_name_as_long_as_they_may_be_is_written_and_a_longer_one_named(tmp_path):
    write_atomically(tmp_path / ('a' * 255), 'x')
    assert [found.name for found in tmp_path.iterdir()] == ['a' * 255]
    assert 'the name is too long' in failure(lambda: write_atomically(tmp_path / ('a' * 256), 'x'))


def test_too_many_open_files_and_memory_say_what_to_take_less_of(tmp_path):
    held = []
    with limited(resource.RLIMIT_NOFILE, len(os.listdir('/proc/self/fd')) + 3):  # noqa: PTH208
        said = failure(lambda: held.extend(os.open(tmp_path, os.O_RDONLY) for _ in range(10)))
    for descriptor in held:
        os.close(descriptor)
    assert said == (f'this process may open no more files, and cannot open {tmp_path}: raise the limit (ulimit -n), or take '
                    'fewer num_workers')
    memory = 'the memory of this machine is not enough'
    assert failure(lambda: bytearray(2**60)).startswith(memory)
    assert failure(lambda: torch.empty(2**50)).startswith(memory)


@pytest.mark.parametrize(('number', 'words'), [
    (errno.ENOSPC, 'no room is left'), (errno.EDQUOT, 'the quota'), (errno.EROFS, 'its disk is read-only; name another folder'),
    (errno.EACCES, 'permission denied'), (errno.EPERM, 'permission denied'), (errno.EIO, 'its disk fails'),
    (errno.ESTALE, 'the network file system has lost it'), (errno.ENFILE, 'this machine can open no more files'),
    (errno.ENOMEM, 'the memory of this machine'), (errno.ENOTCONN, 'mount it again'), (errno.ETXTBSY, 'is being run')])
def test_each_number_of_the_system_has_a_sentence_also_out_of_a_worker_and_wrapped(number, words):
    error = OSError(number, os.strerror(number), '/data/a.png')
    said = describe_failure(error)
    assert words in said and '/data/a.png' in said
    report = ('Caught OSError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  File "a"\n'
              f'    f()\nOSError: {error}\n')
    assert describe_failure(OSError(report)) == describe_failure(RuntimeError(report)) == said
    assert describe_failure(OSError(f'class `A` in a.py: {error}')) == said


class Broken(Dataset):
    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 2

    def __getitem__(self, index):
        raise self.error


class Killed(Broken):
    def __getitem__(self, index):
        os.kill(os.getpid(), self.error)


@pytest.mark.parametrize(('error', 'said'), [
    (ImageError('a.png is empty\nand cut'), 'a.png is empty\nand cut'),
    (OSError(errno.EIO, 'Input/output error', 'a.png'),
    'a.png cannot be read or written: its disk fails; look at the log of the '
                                                        'system before going on'),
    (MemoryError(),
    'the memory of this machine is not enough in a data worker: take a smaller batch_size, fewer num_workers or '
                    'a smaller cache_mb')], ids=['ours', 'disk', 'memory'])
def test_what_a_data_worker_raises_loses_its_traceback(error, said):
    with pytest.raises(Exception) as caught:
        list(DataLoader(Broken(error), num_workers=1))
    assert 'Original Traceback' in str(caught.value)
    assert worker_message(str(caught.value)) == said


def test_a_killed_data_worker_is_said_with_what_to_do():
    with pytest.raises(RuntimeError) as caught:
        list(DataLoader(Killed(9), num_workers=1))
    assert describe_failure(caught.value) == ('a data worker was killed, probably for memory: take fewer num_workers or a '
                                              'smaller cache_mb')


def _send_and_wait(queue):
    queue.put(torch.ones(3))
    signal.pause()


@pytest.mark.skipif(torch.multiprocessing.get_sharing_strategy() != 'file_descriptor', reason='tensors lie in files here')
def test_a_data_worker_that_is_gone_before_its_tensors_are_taken_over_was_killed():
    context = multiprocessing.get_context('spawn')
    queue = context.Queue()
    worker = context.Process(target=_send_and_wait, args=(queue, ), daemon=True)
    worker.start()
    assert queue._reader in wait([queue._reader, worker.sentinel])  # it has sent where its tensor is
    worker.kill()
    worker.join()
    with pytest.raises((ConnectionError, EOFError, FileNotFoundError)) as caught:
        queue.get()
    expected = 'a data worker was killed, probably for memory: take fewer num_workers or a smaller cache_mb'
    assert describe_failure(caught.value) == expected
    # As the thread that pins memory hands it on.
    handed_on = ''.join(traceback.format_exception(caught.value))
    assert describe_failure(ConnectionResetError(f'Caught ConnectionResetError in pin memory thread\n{handed_on}')) == expected
    # Another connection, or file, is none of a worker's.
    assert describe_failure(ConnectionResetError(104, 'Connection reset by peer')) == '[Errno 104] Connection reset by peer'
    assert describe_failure(FileNotFoundError(2, 'No such file', 'a.pth')).startswith('a.pth is not there')


def test_shared_memory_and_the_gpu_have_sentences_of_their_own():
    for text in ('unable to write to file </torch_123_456_0>: No space left on device (28)',
        'DataLoader worker (pid 7) is killed by '
                 "signal: Bus error. It is possible that dataloader's workers are out of shared memory."):
        assert describe_failure(RuntimeError(text)).startswith('the shared memory of this machine (/dev/shm) is full')
    assert describe_failure(OSError(errno.ENOSPC, 'x', '/dev/shm/sem.a')).startswith('the shared memory of this machine')
    assert describe_failure(torch.OutOfMemoryError('CUDA out of memory. Tried x')).startswith('the memory of the GPU')
    assert describe_failure(SafetensorError('Error while deserializing header: x')) == (
        'a safetensors file cannot be read or written: Error while deserializing header: x')


def test_other_errors_are_no_failures_of_the_system():
    for error in (KeyError('a'), RuntimeError('shapes differ'), ValueError('x'), AssertionError(), ZeroDivisionError()):
        assert describe_failure(error) is None
    assert describe_failure(FileNotFoundError('there is no config a')) == 'there is no config a'
    assert worker_message('a.png is empty') is None
