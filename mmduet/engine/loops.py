"""The training loop: epochs that can stop and resume in their middle."""
from bisect import bisect
from signal import Signals
from typing import Any

from mmengine.dataset import DefaultSampler
from mmengine.runner import EpochBasedTrainLoop
from torch import nn
from torch.utils.data import BatchSampler, DataLoader

from mmduet.datasets.grounding_dataset import tell
from mmduet.engine.config_tools import ConfigError
from mmduet.engine.distributed import naming_unused_parameters
from mmduet.engine.gradients import count_updates_to, is_updated
from mmduet.engine.runner import GroundingRunner
from mmduet.io.text import counted
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

    SIGTERM, SIGINT or SIGHUP on any rank ends the step and writes a checkpoint. A validation that a kill prevented comes first
    when training goes on.

    A run that was stopped and resumed gives the same weights, bit for bit, as one that was not, also between two updates.

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
        self.owes_validation = False
        self._max_iters: int = self._max_iters if max_iters is None else min(self._max_iters, max_iters)
        if len(self.dataloader) == 0:
            raise ConfigError(f'the training data gives no batch: {counted(len(self.dataloader.dataset), "expression")}, '
                             f'{counted(runner.world_size, "process", "processes")}, batches of {self.dataloader.batch_size}')

    def run(self) -> nn.Module:
        """Train to the last epoch, to the limit of steps or to a signal; return the model."""
        skipped = self._find_position()
        self.owes_validation = self.runner.val_loop is not None and self.runner.owes_validation()
        self.runner.call_hook('before_train')
        with self.runner.signals, naming_unused_parameters(self.runner.plain_model):
            self._train(skipped)
        self.runner.call_hook('after_train')
        return self.runner.model

    def _train(self, skipped: int) -> None:
        if self.owes_validation:
            self.runner.logger.info(f'The validation after step {self._iter} was not finished: it comes first.')
            self._validate()
        while self._epoch < self._max_epochs and self._iter < self._max_iters and not self.stop_training:
            if self._ask():
                self._save_and_stop()
                return
            if not self.run_epoch(skipped):
                self._save_and_stop()
                return
            skipped = 0
            self._decide_current_val_interval()
            if self.owes_validation and not self._ask():
                self._validate()
        if self.owes_validation or self.stop_training:
            self._save_and_stop()

    def _validate(self) -> None:
        self.runner.val_loop.run()
        self.owes_validation = False

    def _save_and_stop(self) -> None:
        self.runner.call_hook('after_iteration_limit')
        if not any(hasattr(hook, 'after_iteration_limit') for hook in self.runner.hooks):  # MMEngine's CheckpointHook has none
            self.runner.save_checkpoint(self.runner.work_dir, f'iter_{self._iter}.pth', by_epoch=False,
                                        meta={'epoch': self._epoch, 'iter': self._iter})
        why = self.runner.signals.agreed
        self.runner.logger.info(f'Stopped after {counted(self._iter, "step")}, in epoch {self._epoch + 1}'
                                + (f', by {Signals(why).name}; go on with --resume.' if why else '.'))

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
            if index + 1 < total and (self._iter >= self._max_iters or self._asked_to_stop()):
                # The logger prints whole intervals; a run that stops between two would show no loss.
                self._iter -= 1
                _, line = self.runner.log_processor.get_log_after_iter(self.runner, index, 'train')
                self._iter += 1
                self.runner.logger.info(line)
                return False
        self.owes_validation = self._is_validation_due(self._epoch + 1)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        return True

    def _asked_to_stop(self) -> bool:
        """Whether a signal came; asked after updates, where a checkpoint needs no gradients."""
        return is_updated(self.runner.optim_wrapper) and self._ask() is not None

    def _ask(self) -> str | None:
        """The signal that any rank received; raises on every rank where a checkpoint could not be written."""
        signal = self.runner.signals.ask(self.runner.writer.failed)
        if self.runner.signals.failed:
            self.runner.writer.settle()
        return signal

    def _is_validation_due(self, epoch: int) -> bool:
        """Whether a validation follows after so many epochs."""
        if self.runner.val_loop is None:
            return False
        interval = self.dynamic_intervals[bisect(self.dynamic_milestones, epoch + 1) - 1]
        last = epoch == self._max_epochs or self._iter >= self._max_iters
        return last or (epoch >= self.val_begin and epoch % interval == 0)

    def _deals_as_before(self) -> bool:
        """Whether the batches before a checkpoint are the first ones of the epoch now, with another number of processes too.

        Samplers that deal out item by item give the same expressions to a step of as many; those that give each process a
        piece of the epoch, as ``ImageGroupSampler``, or sort what a process has, do not.
        """
        meta = self.runner._loaded_meta or {}
        ranks, now = meta.get('world_size', self.runner.world_size), self.runner.world_size
        if ranks == now:
            return True
        loader = self.dataloader
        dealt = type(loader.sampler).__iter__ is DefaultSampler.__iter__ and type(loader.batch_sampler) is BatchSampler
        batch = (meta.get('training') or {}).get('train_dataloader.batch_size')
        return dealt and str(batch) == str(loader.batch_size * now / ranks).removesuffix('.0')

    def _find_position(self) -> int:
        """Batches of the current epoch that were seen before the checkpoint that training resumes from."""
        total, seen = len(self.dataloader), self._iter - self._epoch * len(self.dataloader)
        before = (self.runner._loaded_meta or {}).get('batches_per_epoch') if self.runner._resume else None
        if 0 <= seen < total and before in (None, total) and (not seen or self._deals_as_before()):
            if seen:
                self.runner.logger.info(f'Resuming inside epoch {self._epoch + 1}, after {seen} of its {total} batches.')
            count_updates_to(self.runner.optim_wrapper, self._max_epochs * total)
            return seen
        self.runner.logger.warning(
            f'The checkpoint was written at step {self._iter}, and other data, batches or processes give other batches than '
            f'those of its epoch: epoch {self._epoch + 1} starts at its beginning, with {total} batches.')
        self._iter, self.runner.resumed_gradients = self._epoch * total, None
        self.runner.optim_wrapper.initialize_count_status(self.runner.model, self._iter, self._max_epochs * total)
        return 0
