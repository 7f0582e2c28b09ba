"""Losses and norms of the steps, kept on the device until the logger prints them; losses are checked then."""
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import all_gather_object
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmduet.datasets import ImageGroupSampler
from mmduet.engine.gradients import DeferredNorms, defer_norms
from mmduet.models.distill import DistilledGrounder, DistillTerm, student_of
from mmduet.models.distill.teacher_checks import describe_units
from mmduet.registry import HOOKS

HISTORY = 2000  # steps of each scalar that are kept; MMEngine keeps a million and copies them all at every step


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite; the message names step, expressions and terms."""


def expression_ids(data_batch: Any) -> list[str]:
    """Ids of the expressions of a batch; empty where the samples have none."""
    samples = data_batch.get('data_samples', []) if isinstance(data_batch, dict) else []
    return [str(sample.metainfo.get('expression_id', '?')) for sample in samples if hasattr(sample, 'metainfo')]


@HOOKS.register_module()
class GroundingRuntimeInfoHook(RuntimeInfoHook):
    """Give the losses to the message hub in one copy per logging interval, and stop training at the first that is not finite.

    MMEngine copies every loss at every step, and the norm of clipped gradients at every update, and each copy waits for the
    device. Here they are copied when the logger is about to print, when an epoch ends and before a checkpoint is written: none
    is after a loss not finite, on any rank.
    """

    def __init__(self) -> None:
        super().__init__()
        self._names: tuple[str, ...] = ()
        self._values: list[Tensor] = []
        self._steps: list[tuple[int, list[str]]] = []
        self._told = False
        self._norms: DeferredNorms | None = None

    def before_train(self, runner: Runner) -> None:
        """Take over the logger's interval; say what expressions that share an image save."""
        super().before_train(runner)
        self._norms = defer_norms(runner.optim_wrapper)
        self._interval = next((hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)), 50)
        # Not the loader's own, which is none of ours where the config has a batch_sampler.
        sampler = runner.train_dataloader.batch_sampler.sampler
        if isinstance(sampler, ImageGroupSampler) and sampler.expressions_per_image > 1:
            runner.logger.info(describe_sharing(sampler, student_of(runner.plain_model)))

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                         outputs: dict[str, Tensor] | None = None) -> None:
        """Remember the step's losses; hand them over, and refuse those that are not finite, where the logger reads them."""
        if outputs:
            if tuple(outputs) != self._names:
                _refuse(self._flush(runner))
                self._names = tuple(outputs)
            # Terms may have different types and devices (a constant zero on the CPU): one vector per step.
            device = next(iter(outputs.values())).device
            losses = [value.detach().to(device, torch.float32).reshape(()) for value in outputs.values()]
            self._values.append(torch.stack(losses))
            self._steps.append((runner.iter + 1, expression_ids(data_batch)))
        at_end = self.end_of_epoch(runner.train_dataloader, batch_idx) or runner.iter + 1 >= runner.max_iters
        if at_end or self.every_n_inner_iters(batch_idx, self._interval):
            _refuse(self._flush(runner))

    def before_collect_checkpoint(self, runner: Runner) -> None:
        """Raise a ``NonFiniteLossError`` on every rank, before weights are written, if one had a loss that is not finite."""
        _refuse(*all_gather_object(self._flush(runner)))

    def _flush(self, runner: Runner) -> str | None:
        if not self._values:
            return None
        rows = torch.stack(self._values).cpu()
        self._tell_facts(runner)
        steps, self._values, self._steps = self._steps, [], []
        for row in rows.tolist():
            for name, value in zip(self._names, row, strict=True):
                runner.message_hub.update_scalar(f'train/{name}', value)
        for norm in self._norms.take() if self._norms is not None else ():
            runner.message_hub.update_scalar(f'train/{runner.optim_wrapper.grad_name}', norm)
        for buffer in runner.message_hub.log_scalars.values():
            buffer.max_length = HISTORY
        bad = (~rows.isfinite().all(dim=1)).nonzero().flatten().tolist()
        return describe_failure(self._names, rows[bad[0]].tolist(), *steps[bad[0]]) if bad else None

    def _tell_facts(self, runner: Runner) -> None:
        """Log what the terms of a distillation head keep of their first training call, and what is odd in a teacher's."""
        for name, part in [] if self._told else runner.model.named_modules():
            for fact, value in part.facts.items() if isinstance(part, DistillTerm) else ():
                runner.logger.info(f'{name.rpartition(".")[2]}: {fact} {value.item():.2f}')
            for teacher, facts in part.target_facts.items() if isinstance(part, DistilledGrounder) else ():
                numbers = {fact: value.item() for fact, value in facts.items()}
                for sentence in describe_units(type(part.teachers[teacher]).__name__, numbers):
                    runner.logger.warning(sentence)
        self._told = True


def _refuse(*messages: str | None) -> None:
    if any(messages):
        raise NonFiniteLossError(next(filter(None, messages)))


def describe_sharing(sampler: ImageGroupSampler, student: nn.Module) -> str:
    """The sentence that says how often an image is encoded where expressions come in groups."""
    k, count, views = sampler.expressions_per_image, len(sampler.dataset), sampler.views_per_epoch
    if student.visual_reads_text:
        return (f'expressions_per_image={k}: {type(student).__name__} reads the words while it encodes an image, so that each '
                f'expression has its own encoding; decoding and augmentation are shared, {views:,} views for {count:,} '
                'expressions')
    return (f'expressions_per_image={k}: an image is encoded once for up to {k} expressions, {views:,} times an epoch instead '
            f'of {count:,} ({count / views:.2f} expressions each)')


def describe_failure(names: Sequence[str], values: Sequence[float], step: int, ids: Sequence[str]) -> str:
    """The sentence that says which loss failed, where, and on what."""
    terms = ', '.join(f'{name} {value:.4g}' for name, value in zip(names, values, strict=True))
    shown = ', '.join(ids[:8]) + (f' and {len(ids) - 8} more' if len(ids) > 8 else '')
    return (f'the loss is not finite at step {step} ({terms}); expressions of the batch: {shown or "unknown"}. Training stops; '
            'the checkpoints before this step are kept')
