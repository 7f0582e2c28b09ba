"""How long training waits for its checkpoints, written in the background and not, in one run."""
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from mmduet.engine import GroundingRunner
from mmduet.engine.config_tools import ConfigError
from mmduet.io.text import counted
from mmduet.registry import RUNNERS
from mmduet.storm.trial import Training

CHECKPOINTS = 8


class _Clock(Hook):
    """Takes the time of each step, from the end of the one before to the end of its own, checkpoints with it.

    Attributes:
        plain, saving: seconds of the steps without a checkpoint, and of those with one.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.plain: list[float] = []
        self.saving: list[float] = []
        self._last, self._saves = 0.0, False

    def before_train_epoch(self, runner: Any) -> None:
        self._last, self._saves = time.perf_counter(), False  # a checkpoint between two epochs is none of a step

    def before_collect_checkpoint(self, runner: Any) -> None:
        self._saves = True

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        now = time.perf_counter()
        if runner.iter > 0:  # the first step is slower than the others
            (self.saving if self._saves else self.plain).append(now - self._last)
        self._last, self._saves = now, False


def measure_waiting(training: Training, folder: Path) -> str:
    """Train with checkpoints at some steps, both ways, and say how long those steps waited: a sentence.

    A step waits for what it takes longer than the median of those without a checkpoint. There are as many epochs as that takes.

    Raises:
        ConfigError: no checkpoint is written within an epoch, which is too short.
    """
    waits, sizes, plain = {}, 0, 0.0
    for background in (False, True):
        cfg = replace(training, ranks=1).configure(folder / f'background_{background}')
        cfg.resume, cfg.val_dataloader, cfg.val_cfg, cfg.val_evaluator = False, None, None, None
        cfg.default_hooks.checkpoint.update(background=background, save_best=None)
        cfg.train_cfg.max_iters = cfg.train_cfg.max_epochs = CHECKPOINTS * training.interval + 1
        clock = _Clock()
        runner: GroundingRunner = RUNNERS.build(cfg)
        runner.register_hook(clock)
        runner.train()
        if not clock.saving:
            raise ConfigError(f'no checkpoint is written within an epoch of {counted(len(runner.train_dataloader), "step")}: '
                              'take more data, or fewer steps between two checkpoints (--interval)')
        plain = statistics.median(clock.plain)
        waits[background] = [max(seconds - plain, 0.0) for seconds in clock.saving]
        sizes = max(path.stat().st_size for path in Path(cfg.work_dir).glob('*.pth'))
    before, after = (statistics.median(waits[background]) for background in (False, True))
    return (f'{len(waits[True])} checkpoints of {sizes / 1e6:.1f} MB, a step {1000 * plain:.1f} ms: a step waits '
            f'{1000 * before:.1f} ms for one that is not written in the background and {1000 * after:.1f} ms for one that is'
            f'{f", {before / after:.1f} times less" if after > 0 else ""} (medians)')


