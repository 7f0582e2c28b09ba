"""What an earlier training left in a work folder, put aside so that nobody takes its best checkpoint for this training's."""
from logging import Logger
from pathlib import Path

from mmduet.engine.checkpoint import BEST, RECORD, read_record

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
    for path in [*best, *([folder / RECORD] if (folder / RECORD).is_file() else [])]:
        (folder / ASIDE).mkdir(exist_ok=True)
        number, target = 1, folder / ASIDE / path.name
        while target.exists():
            number += 1
            target = folder / ASIDE / f'{path.stem}_{number}{path.suffix}'
        path.rename(target)
    logger.warning(f'An earlier training left {", ".join(path.name for path in best)} in {folder}: moved to {folder / ASIDE}, '
                   'so that the best checkpoint here is of this training.')
