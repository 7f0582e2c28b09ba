"""What went wrong with a file, the memory or a process, in one sentence that says what it is about and what to do.

The system's own words (``[Errno 28] No space left on device``) name no file where a write is refused, and those of PyTorch a
line of its source. ``describe_failure`` knows both, also inside the report of a worker process.
"""
import errno
import os
import re
import traceback
from pathlib import Path

_ROOM = 'make room, or name another folder; the old file is as it was'
_SENTENCES: dict[int, str] = {
    errno.ENOSPC: f'{{file}} cannot be written: no room is left on the disk; {_ROOM}',
    errno.EDQUOT: f'{{file}} cannot be written: the quota of the disk is used up; {_ROOM}',
    errno.EFBIG: '{file} cannot be written: it would be larger than files may be here; see ulimit -f and the file system',
    errno.EROFS: '{file} cannot be written: its disk is read-only; name another folder',
    errno.EACCES: '{file}: permission denied; change its permissions, or name another folder',
    errno.EPERM: '{file}: permission denied; change its permissions, or name another folder',
    errno.ENAMETOOLONG: '{file}: the name is too long for the file system; name a shorter one',
    errno.EISDIR: '{file} is a folder, and a file is expected',
    errno.ENOTDIR: '{file}: a file stands where a folder is expected',
    errno.EEXIST: '{file} is there already, and is no folder',
    errno.ENOTEMPTY: '{file} is a folder that holds other files',
    errno.ENOENT: '{file} is not there, or no longer: was a folder moved or a disk taken away?',
    errno.ELOOP: '{file}: its links lead in a circle',
    errno.EMFILE: 'this process may open no more files, and cannot open {file}: raise the limit (ulimit -n), or take fewer '
                  'num_workers',
    errno.ENFILE: 'this machine can open no more files, and cannot open {file}: end other programs, or take fewer num_workers',
    errno.EIO: '{file} cannot be read or written: its disk fails; look at the log of the system before going on',
    errno.ESTALE: '{file}: the network file system has lost it; run the same command again',
    errno.ETXTBSY: '{file} is being run, and cannot be written',
    errno.ENOTCONN: '{file}: the network file system is not there; mount it again',
}
_MEMORY = 'the memory of this machine is not enough{where}: take a smaller batch_size, fewer num_workers or a smaller cache_mb'
_SENTENCES[errno.ENOMEM] = _MEMORY.format(where=' to open {file}')
_SHARED = ('the shared memory of this machine (/dev/shm) is full: give it more room (docker run --shm-size=8g), or take fewer '
           'num_workers')
_WORKER = 'a data worker was killed, probably for memory: take fewer num_workers or a smaller cache_mb'
_RANK = ('another process of this program ended, or cannot be reached any more, and this one cannot go on without it: its own '
         'output says why')
# PyTorch's, by what its messages say.
_MESSAGES: tuple[tuple[re.Pattern[str], str], ...] = tuple((re.compile(pattern, re.DOTALL), sentence) for pattern, sentence in (
    (r'/dev/shm|torch_\d+_\d+.*(No space left|\(28\))|Bus error|out of shared memory|insufficient shared memory', _SHARED),
    (r'DataLoader worker \(pid.*(is killed by signal|exited unexpectedly)', _WORKER),
    (r'gloo/transport|[Cc]onnection closed by peer|Connection reset by peer|ncclRemoteError|ncclSystemError', _RANK),
    (r'received 0 items of ancdata|Too many open files', _SENTENCES[errno.EMFILE].format(file='more')),
    (r'CUDA out of memory', 'the memory of the GPU is not enough: take a smaller batch_size, --amp bf16, or --accumulate'),
    (r"can't allocate memory|DefaultCPUAllocator|std::bad_alloc|Cannot allocate memory", _MEMORY.format(where='')),
    (r'PytorchStreamWriter failed|unexpected pos \d+ vs', _SENTENCES[errno.ENOSPC]),
))
# Where PyTorch takes over the tensors of another process, which must still be there for it.
_TAKES_OVER = str(Path('torch', 'multiprocessing', 'reductions.py'))
# Letters of a path that are said.
_LONGEST_NAME = 400
_IN_WORKER = re.compile(r'^Caught \w+ in .* process \d+\.\n')
_LAST_LINE = re.compile(r'^(?P<kind>[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Refused))(?:: (?P<text>.*))?\Z',
                        re.MULTILINE | re.DOTALL)
_ERRNO = re.compile(r"\[Errno (?P<number>\d+)\] (?P<words>[^:]*)(?:: (?P<quote>['\"])(?P<file>.*?)(?P=quote))?")


def describe_failure(error: BaseException, file: str = 'a file') -> str | None:
    """A sentence for an error of the system: disk, permissions, names, memory, processes; None for any other error.

    ``file`` is what an error that names none is about.

    >>> describe_failure(OSError(28, 'No space left on device', 'a.pth'))
    'a.pth cannot be written: no room is left on the disk; make room, or name another folder; the old file is as it was'
    >>> describe_failure(MemoryError())
    'the memory of this machine is not enough: take a smaller batch_size, fewer num_workers or a smaller cache_mb'
    >>> describe_failure(KeyError('a')) is None
    True
    """
    if isinstance(error, MemoryError):
        return _MEMORY.format(where='')
    text = str(error)
    if _lost_a_worker(error, text):
        return _WORKER
    if isinstance(error, OSError) and error.errno is not None:
        return _describe_number(error.errno, error.filename2 or error.filename or file, text)
    if inner := worker_message(text):
        return inner
    if isinstance(error, OSError) and (found := _ERRNO.search(text)):  # wrapped by the host, which loses the number
        return _describe_number(int(found['number']), found['file'], text)
    if isinstance(error, OSError | RuntimeError):
        known = next((sentence for pattern, sentence in _MESSAGES if pattern.search(text)), None)
        if known is not None or isinstance(error, OSError):
            return known.format(file=file) if known is not None else text or type(error).__name__
    if type(error).__name__ == 'SafetensorError':
        return f'{"a safetensors file" if file == "a file" else file} cannot be read or written: {_first_line(text)}'
    return None


def _lost_a_worker(error: BaseException, text: str) -> bool:
    """Whether a data worker was gone before its tensors were taken over: PyTorch does not always see first that it died."""
    if not isinstance(error, ConnectionError | EOFError | FileNotFoundError):
        return False
    files = (frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
    return _TAKES_OVER in text or any(file.endswith(_TAKES_OVER) for file in files)


def worker_message(text: str) -> str | None:
    """What the report of a data worker says in its last line, without the traceback; None for another text.

    >>> worker_message("Caught ImageError in DataLoader worker process 0.\\nOriginal Traceback (most recent call last):\\n"
    ...                '  File "a.py", line 1\\nmmduet.io.errors.ImageError: a.png is empty\\n')
    'a.png is empty'
    """
    if not _IN_WORKER.match(text):
        return None
    lines = text.rstrip().split('\n')
    # What is indented belongs to the traceback; the message after it may have several lines.
    start = max((number for number, line in enumerate(lines) if line.startswith(' ')), default=0) + 1
    last = _LAST_LINE.match('\n'.join(lines[start:]))
    if last is None:
        return lines[-1]
    message = last['text'] or last['kind']
    if last['kind'] == 'MemoryError':
        return _MEMORY.format(where=' in a data worker')
    if found := _ERRNO.match(message):
        return _describe_number(int(found['number']), found['file'], message)
    return next((sentence.format(file='a file') for pattern, sentence in _MESSAGES if pattern.search(message)), message)


def _describe_number(number: int, file: object, text: str) -> str:
    name = os.fsdecode(file) if isinstance(file, str | bytes | os.PathLike) else 'a file'
    name = name if len(name) <= _LONGEST_NAME else f'{name[:_LONGEST_NAME]}...'
    if '/dev/shm' in name:
        return _SHARED
    return _SENTENCES[number].format(file=name) if number in _SENTENCES else _first_line(text)


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), 'nothing is said')
