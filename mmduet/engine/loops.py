"""The training loop: epochs that can stop and resume in their middle."""
from typing import Any

from mmengine.runner import EpochBasedTrainLoop
from torch import nn
from torch.utils.data import DataLoader

from mmduet.datasets.grounding_dataset import tell
from mmduet.engine.runner import GroundingRunner
from mmduet.registry import LOOPS


def remaining_loader(loader: DataLoader[Any], skipped: int) -> DataLoader[Any]:
    """A loader like ``loader`` that gives the rest of its epoch: all batches are drawn, but no image before is read."""
    alike = ('dataset', 'num_workers', 'collate_fn', 'pin_memory', 'worker_init_fn', 'prefetch_factor', 'timeout',
             'multiprocessing_context', 'generator')
    options = {name: getattr(loader, name) for name in alike}
    return DataLoader(**options, batch_sampler=list(loader.batch_sampler or ())[skipped:])


@LOOPS.register_module()
class GroundingTrainLoop(EpochBasedTrainLoop):
    """Train by epochs, stop after a number of steps, resume exactly where a checkpoint was written.

    A run that was stopped and resumed gives the same weights, bit for bit, as one that was not. With accumulated gradients
    this holds where the checkpoint was written after an update.

    Args:
        runner, dataloader, max_epochs, val_begin, val_interval, dynamic_intervals: see ``EpochBasedTrainLoop``; the last epoch
            is always validated.
        max_iters: stop after so many steps in total, counted over resumed runs, and write a checkpoint; None for no limit.
    """

    def __init__(self, runner: GroundingRunner, dataloader: DataLoader[Any] | dict[str, Any], max_epochs: int,
                 val_begin: int = 1, val_interval: int = 1, dynamic_intervals: list[tuple[int, int]] | None = None,
                 max_iters: int | None = None) -> None:
        if max_epochs < 1 or (max_iters is not None and max_iters < 1):
            raise ValueError(f'max_epochs and max_iters must be positive, got {max_epochs} and {max_iters}')
        super().__init__(runner, dataloader, max_epochs, val_begin, val_interval, dynamic_intervals)
        self._iter: int = 0
        self._max_iters: int = self._max_iters if max_iters is None else min(self._max_iters, max_iters)
        if len(self.dataloader) == 0:
            raise ValueError(f'the training data gives no batch: {len(self.dataloader.dataset)} expressions, '
                             f'{runner.world_size} processes, batches of {self.dataloader.batch_size}')

    def run(self) -> nn.Module:
        """Train to the last epoch or to the limit of steps; return the model."""
        skipped = self._find_position()
        self.runner.call_hook('before_train')
        while self._epoch < self._max_epochs and self._iter < self._max_iters and not self.stop_training:
            if not self.run_epoch(skipped):
                self.runner.call_hook('after_iteration_limit')
                self.runner.logger.info(f'Stopped after {self._iter} steps, inside epoch {self._epoch + 1}.')
                break
            skipped = 0
            self._decide_current_val_interval()
            due = self._epoch >= self.val_begin and self._epoch % self.val_interval == 0
            last = self._epoch == self._max_epochs or self._iter >= self._max_iters
            if self.runner.val_loop is not None and (due or last):
                self.runner.val_loop.run()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self, skipped: int = 0) -> bool:
        """Train an epoch after its first ``skipped`` batches; return whether its end was reached."""
        for part in (self.dataloader.dataset, self.dataloader.sampler, self.dataloader.batch_sampler):
            tell(part, 'set_epoch', self._epoch)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        total = len(self.dataloader)
        loader = remaining_loader(self.dataloader, skipped) if skipped else self.dataloader
        self.runner.restore_random_state()
        for index, data_batch in enumerate(loader, start=skipped):
            self.run_iter(index, data_batch)
            if self._iter >= self._max_iters and index + 1 < total:
                # The logger prints whole intervals; a run that stops between two would show no loss.
                self._iter -= 1
                _, line = self.runner.log_processor.get_log_after_iter(self.runner, index, 'train')
                self._iter += 1
                self.runner.logger.info(line)
                return False
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        return True

    def _find_position(self) -> int:
        """Batches of the current epoch that were seen before the checkpoint that training resumes from."""
        total, seen = len(self.dataloader), self._iter - self._epoch * len(self.dataloader)
        before = self.runner.resumed_batches_per_epoch
        if 0 <= seen < total and before in (None, total):
            if seen:
                self.runner.logger.info(f'Resuming inside epoch {self._epoch + 1}, after {seen} of its {total} batches.')
            return seen
        self.runner.logger.warning(f'The checkpoint was written at step {self._iter} with another number of batches per epoch '
                                   f'than {total} (other data, batch size or processes): epoch {self._epoch + 1} starts at its '
                                   'beginning.')
        self._iter = self._epoch * total
        self.runner.optim_wrapper.initialize_count_status(self.runner.model, self._iter, self._max_iters)
        return 0
