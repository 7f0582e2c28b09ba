"""Which checkpoint of a work folder to resume from."""
from pathlib import Path

POINTER = 'last_checkpoint'


def resume_candidates(work_dir: Path) -> list[Path]:
    """Checkpoints of a work folder in the order to try.

    First those written after the pointer ``last_checkpoint`` (a kill came between the two), then the one it names, which is
    found also after the folder was moved, then the others, the last written first.
    """
    written = {path: path.stat().st_mtime_ns for pattern in ('epoch_*.pth', 'iter_*.pth') for path in work_dir.glob(pattern)}
    pointer, named = work_dir / POINTER, None
    if pointer.is_file():
        named = work_dir / Path(pointer.read_text(encoding='utf-8').strip()).name
        if named in written:
            written[named] = pointer.stat().st_mtime_ns  # all that were not written after the pointer come behind it
    return sorted(written, key=lambda path: (written[path], path == named, path.name), reverse=True)
