"""What a person wants to know when a training has ended: the best score, its file and the next command."""
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from mmduet.engine.checkpoint import read_record
from mmduet.engine.console import tell
from mmduet.engine.own_modules import own_files, parts_of_prediction

if TYPE_CHECKING:
    from mmduet.engine.runner import GroundingRunner


def end_training(runner: 'GroundingRunner') -> None:
    """Tell people how a training ended."""
    for line in describe_end(runner):
        tell(runner.logger, line)


def describe_end(runner: 'GroundingRunner') -> list[str]:
    """The lines: best score and its file, or the last checkpoint, and what to type next."""
    folder = Path(runner.work_dir)
    record = read_record(folder) or {}
    best, kept = record.get('best'), record.get('kept') or []
    config = shlex.quote(str(runner.cfg.filename or 'CONFIG'))
    lines = []
    file = folder / best['file'] if best is not None else folder / kept[-1] if kept else None
    if best is not None:
        lines.append(f'Best {best["metric"]}: {best["score"]:.2f}, in {file}')
    elif file is not None:
        lines.append(f'Last checkpoint: {file}')
    if runner.signals.agreed:
        lines.append(f'Go on: mmduet train {config} --resume --work-dir {shlex.quote(str(folder))}')
    elif file is not None:
        quoted = shlex.quote(str(file))
        own = shlex.join(own_files(parts_of_prediction(runner.cfg)))
        lines += [f'Test:    mmduet test {config} {quoted}',
                  f'Predict: mmduet predict photo.jpg "the red one" --model {quoted}{" --import " if own else ""}{own}']
    return lines
