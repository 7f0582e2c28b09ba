"""How long training waits for its checkpoints, written in the background and not, in one run."""
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from mmduet.engine import GroundingRunner
from mmduet.registry import RUNNERS
from mmduet.storm.trial import Training

CHECKPOINTS = 8


class _Clock(Hook):
    """Takes the time of each step, from the end of the one before to the end of its own, checkpoints with it."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.steps: list[float] = []
        self._last = 0.0

    def before_train(self, runner: Any) -> None:
        self._last = time.perf_counter()

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        now = time.perf_counter()
        self.steps.append(now - self._last)
        self._last = now


def measure_waiting(training: Training, folder: Path) -> str:
    """Train with checkpoints at some steps, both ways, and say how long those steps waited: a sentence.

    A step waits for what it takes longer than the median of those without a checkpoint.
    """
    waits, sizes, plain = {}, 0, 0.0
    for background in (False, True):
        cfg = replace(training, ranks=1).configure(folder / f'background_{background}')
        cfg.resume, cfg.val_dataloader, cfg.val_cfg, cfg.val_evaluator = False, None, None, None
        cfg.default_hooks.checkpoint.update(background=background, save_best=None)
        cfg.train_cfg.max_iters = CHECKPOINTS * training.interval + 1
        clock = _Clock()
        runner: GroundingRunner = RUNNERS.build(cfg)
        runner.register_hook(clock)
        runner.train()
        length = len(runner.train_dataloader)
        steps = list(enumerate(clock.steps, start=1))[1:]
        saving = [seconds for step, seconds in steps if step % training.interval == 0 and step % length]
        plain = statistics.median(seconds for step, seconds in steps if step % training.interval)
        waits[background] = [max(seconds - plain, 0.0) for seconds in saving]
        sizes = max(path.stat().st_size for path in Path(cfg.work_dir).glob('*.pth'))
    before, after = (statistics.median(waits[background]) for background in (False, True))
    return (f'{len(waits[True])} checkpoints of {sizes / 1e6:.1f} MB, a step {1000 * plain:.1f} ms: a step waits '
            f'{1000 * before:.1f} ms for one that is not written in the background and {1000 * after:.1f} ms for one that is, '
            f'{before / max(after, 1e-9):.1f} times less (medians)')


