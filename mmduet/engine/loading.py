"""Reading a checkpoint on all ranks, and finding the one that training goes on from, and its seed."""
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.dist import all_gather_object, get_rank

from mmduet.engine.checkpoint import CheckpointError, UnreadableCheckpointError, read_checkpoint, read_record, resume_candidates
from mmduet.engine.console import tell
from mmduet.io.weights import read_meta

if TYPE_CHECKING:
    from mmduet.engine.runner import GroundingRunner


def resume_last(runner: 'GroundingRunner') -> None:
    """Resume from the last complete checkpoint of the work folder, if there is one; one that cannot be read is named.

    Raises:
        CheckpointError: there are checkpoints, and none can be read.
    """
    folder = Path(runner.work_dir)
    # Those that the first rank sees, so that no two ranks resume from different steps.
    record = read_record(folder) or {}
    candidates = all_gather_object(resume_candidates(folder, record.get('run')))[0]
    for path in candidates:
        try:
            runner.resume(str(path))
            return
        except (UnreadableCheckpointError, FileNotFoundError) as error:
            runner.logger.warning(f'{error}. Trying the one before.')
    if candidates:
        raise CheckpointError(f'none of the checkpoints in {folder} can be read ('
                              f'{", ".join(path.name for path in candidates)}): remove them to start anew')
    tell(runner.logger, f'No checkpoint in {runner.work_dir} to resume from: training starts from the beginning.')


def resumed_seed(folder: Path, source: str | None) -> int | None:
    """The seed of the training that goes on from ``source``, or from the last checkpoint of a work folder; None for neither.

    Asked before anything is built, so that order, augmentation and workers are those of that training; all ranks must ask.
    """
    found = None
    if get_rank() == 0:
        paths = resume_candidates(folder, (read_record(folder) or {}).get('run')) if source is None else [Path(source)]
        seeds = (read_meta(path).get('seed') for path in paths if path.is_file())
        found = next((seed for seed in seeds if type(seed) is int), None)
    seed: int | None = all_gather_object(found)[0]
    return seed


def read_on_all_ranks(filename: str, map_location: Any) -> dict[str, Any]:
    """Read a checkpoint, if every rank can: one that fails alone would leave the others waiting for it.

    Raises:
        CheckpointError, FileNotFoundError: as ``read_checkpoint``, on every rank.
    """
    checkpoint: dict[str, Any] = {}
    failure: CheckpointError | FileNotFoundError | None = None
    try:
        checkpoint = read_checkpoint(filename, map_location)
    except (CheckpointError, FileNotFoundError) as error:
        failure = error
    failures = [text for text in all_gather_object(failure and str(failure)) if text is not None]
    if failure is not None:
        raise failure
    if failures:
        raise UnreadableCheckpointError(f'another process cannot read {filename}: {failures[0]}')
    # MMEngine would run it as a program where it resumes; ours have the config under another name.
    checkpoint.get('meta', {}).pop('config', None)
    return checkpoint
