"""Which checkpoint of a work folder to resume from."""
from pathlib import Path

POINTER = 'last_checkpoint'
_PATTERNS = ('epoch_*.pth', 'iter_*.pth')


def resume_candidates(work_dir: Path) -> list[Path]:
    """Checkpoints of a work folder in the order to try.

    First those written after the pointer ``last_checkpoint`` (a kill came between the two), then the one it names, which is
    found also after the folder was moved, then the others, the last written first.
    """
    files = {path for pattern in _PATTERNS for path in work_dir.glob(pattern)}
    ordered = sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
    pointer = work_dir / POINTER
    if pointer.is_file():
        named = work_dir / Path(pointer.read_text(encoding='utf-8').strip()).name
        if named in files:
            written = pointer.stat().st_mtime_ns
            newer = [path for path in ordered if path != named and path.stat().st_mtime_ns > written]
            ordered = [*newer, named, *(path for path in ordered if path != named and path not in newer)]
    return ordered
