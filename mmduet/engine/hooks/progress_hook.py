"""A progress bar of a training on a terminal."""
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mmduet.engine.console import console_handlers, watch_console
from mmduet.registry import HOOKS

STEPS = ('Epoch(train)', 'Iter(train)')


@HOOKS.register_module()
class ProgressHook(Hook):
    """Show steps, epoch, loss and the time that is left in a bar; lines about steps go into the file alone meanwhile.

    Args:
        show: whether there is a bar; None for: where the output is a terminal.
    """

    priority = 'VERY_LOW'

    def __init__(self, show: bool | None = None) -> None:
        self._show = show
        self._bar: Progress | None = None

    def before_train(self, runner: Runner) -> None:
        """Start the bar at the step that training is at."""
        self.close(runner)
        show = sys.stdout.isatty() if self._show is None else self._show
        if not show or runner.rank != 0:
            return
        self._bar = Progress(TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(),
                             TextColumn('{task.fields[loss]}'), TimeElapsedColumn(), TextColumn('left'), TimeRemainingColumn())
        self._task = self._bar.add_task(self._describe(runner), total=runner.max_iters, completed=runner.iter, loss='')
        self._bar.start()
        watch_console(runner.logger).hidden = STEPS
        for handler in console_handlers(runner.logger):
            handler.setStream(sys.stdout)  # rich's, which writes above the bar

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Move on; the loss is the last that was copied from the device, so that no step waits for it."""
        if self._bar is not None:
            losses = runner.message_hub.log_scalars.get('train/loss')
            loss = f'loss {losses.current():.4g}' if losses is not None and len(losses.data[0]) else ''
            self._bar.update(self._task, completed=runner.iter + 1, description=self._describe(runner), loss=loss)

    def after_train(self, runner: Runner) -> None:
        """End the bar."""
        self.close(runner)

    def close(self, runner: Runner) -> None:
        """Take the bar away, also where training ended by an error; nothing where there is none."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            watch_console(runner.logger).hidden = ()
            for handler in console_handlers(runner.logger):
                handler.setStream(sys.stdout)

    @staticmethod
    def _describe(runner: Runner) -> str:
        by_step = isinstance(runner.train_loop, IterBasedTrainLoop)
        return 'step' if by_step else f'epoch {min(runner.epoch + 1, runner.max_epochs)}/{runner.max_epochs}'


@contextmanager
def bars_of(runner: Runner) -> Iterator[None]:
    """Take the bars of a runner away at the end, however its training ended."""
    try:
        yield
    finally:
        for hook in runner.hooks:
            if isinstance(hook, ProgressHook):
                hook.close(runner)
