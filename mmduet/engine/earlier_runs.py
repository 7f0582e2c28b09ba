"""What does not belong to the training that goes on in a work folder, put aside so that nobody takes it for this training's."""
import json
from collections.abc import Iterable
from logging import Logger
from pathlib import Path
from typing import Any

from mmduet.engine.checkpoint import BEST, POINTER, RECORD, RESUMABLE, position_of, read_record
from mmduet.io.files import write_atomically
from mmduet.io.weights import read_meta

ASIDE = 'earlier'


def set_aside(folder: Path, run_id: str, resumed: bool, logger: Logger) -> None:
    """Move best checkpoints of another training, and its ``checkpoints.json``, into ``earlier/`` of the folder; say so.

    Args:
        run_id: of the training that begins or goes on.
        resumed: whether it goes on, so that what lies there may be its own.
    """
    record = read_record(folder)
    if resumed and (record is None or record['run'] in (run_id, None)):
        return
    best = [path for path in sorted(folder.glob('best_*.pth')) if BEST.fullmatch(path.name)]
    if not best:
        return
    _move([*best, *([folder / RECORD] if (folder / RECORD).is_file() else [])])
    logger.warning(f'An earlier training left {", ".join(path.name for path in best)} in {folder}: moved to {folder / ASIDE}, '
                   'so that the best checkpoint here is of this training.')


def set_later_aside(folder: Path, run_id: str, source: Path, reached: tuple[int, int], logger: Logger) -> None:
    """Move later checkpoints into ``earlier/``, where a training goes back to one before; say so.

    They are of another course of the same training, and the next ``--resume`` would go on with them.

    Args:
        run_id: of the training.
        source: the checkpoint that it goes back to.
        reached: the finished epochs and the steps of that checkpoint.
    """
    later = []
    for path in sorted(folder.glob('*.pth')):
        if RESUMABLE.fullmatch(path.name) or BEST.fullmatch(path.name):
            meta: dict[str, Any] = read_meta(path)
            if meta.get('run') == run_id and (position_of(meta) or reached) > reached:
                later.append(path)
    if not later:
        return
    record = read_record(folder)
    _move(later)
    gone = {path.name for path in later}
    if record is not None:
        best = record['best'] if record['best'] is not None and record['best']['file'] not in gone else None
        kept = [name for name in record['kept'] if name not in gone]
        write_atomically(folder / RECORD, json.dumps({**record, 'kept': kept, 'best': best, 'validated': None}, indent=1))
    if source.parent == folder:
        write_atomically(folder / POINTER, str(source))
    logger.warning(f'Training goes back to {source}: {", ".join(sorted(gone))} of its later steps moved to {folder / ASIDE}, '
                   'so that the next --resume goes on from here.')


def _move(paths: Iterable[Path]) -> None:
    """Move files into ``earlier/`` of their folder, under names that are not taken there."""
    for path in paths:
        folder = path.parent / ASIDE
        folder.mkdir(exist_ok=True)
        number, target = 1, folder / path.name
        while target.exists():
            number += 1
            target = folder / f'{path.stem}_{number}{path.suffix}'
        path.rename(target)
