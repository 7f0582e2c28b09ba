"""What a system may refuse, for a while: limits of this process, and the rights that root has over files."""
import ctypes
import resource
from collections.abc import Iterator
from contextlib import contextmanager

# Rights of root that pass over those of files: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
_RIGHTS = ~0b110
_CAPABILITIES_VERSION = 0x20080522


@contextmanager
def limited(kind: int, value: int | None) -> Iterator[None]:
    """A soft limit of the system on this process for a while, such as ``resource.RLIMIT_FSIZE``; None for no other."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (before[0] if value is None else value, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def drop_rights() -> None:
    """Let the rights of files count for root too, for the rest of this process."""
    system = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0), (ctypes.c_uint32 * 6)()
    assert system.capget(header, sets) == 0
    for number in range(3):
        sets[number] &= _RIGHTS & 0xffffffff
    assert system.capset(header, sets) == 0
