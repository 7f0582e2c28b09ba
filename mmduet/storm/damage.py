"""What may happen to a work folder between two trainings."""
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from mmduet.engine.checkpoint import CheckpointError, read_checkpoint, resume_candidates


def truncate_last(work: Path, draw: random.Random) -> None:
    """Cut the last checkpoint, as a copy that was interrupted."""
    path = resume_candidates(work)[0]
    content = path.read_bytes()
    path.write_bytes(content[:draw.randrange(len(content))])


def flip_last(work: Path, draw: random.Random) -> None:
    """Flip a bit in the numbers of the last checkpoint."""
    path = resume_candidates(work)[0]
    content = bytearray(path.read_bytes())
    names = [value for value in torch.load(path, weights_only=True)['state_dict'].values() if value.numel() > 1]
    numbers = draw.choice(names).numpy().tobytes()
    content[content.index(numbers) + draw.randrange(len(numbers))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def forget_pointer(work: Path, draw: random.Random) -> None:
    """Remove ``last_checkpoint``."""
    (work / 'last_checkpoint').unlink(missing_ok=True)


def copy_in_any_order(work: Path, draw: random.Random) -> None:
    """Put a copy in the place of the folder, whose files were written in any order."""
    before = work.with_name('before')
    work.rename(before)
    for path in draw.sample(files := sorted(before.rglob('*')), len(files)):
        if path.is_file():
            target = work / path.relative_to(before)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    shutil.rmtree(before)


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    'last checkpoint cut': truncate_last, 'bit flipped in the last checkpoint': flip_last, 'pointer removed': forget_pointer,
    'folder copied in another order': copy_in_any_order}


def last_intact(work: Path) -> int:
    """The highest step of a checkpoint of a work folder that can be read whole; 0 where there is none."""
    steps = [0]
    for path in resume_candidates(work) if work.is_dir() else ():
        with suppress(CheckpointError):
            steps.append(read_checkpoint(path)['meta']['iter'])
    return max(steps)
