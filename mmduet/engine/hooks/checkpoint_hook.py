"""When checkpoints are written and which are kept."""
import json
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmduet.engine.checkpoint import POINTER, RECORD, CheckpointError, read_record, write_checkpoint
from mmduet.engine.config_check.metric_names import least_nested
from mmduet.engine.config_tools import ConfigError
from mmduet.engine.file_contents import identify_annotations
from mmduet.engine.gradients import is_updated
from mmduet.engine.minutes import Minutes
from mmduet.engine.saving import collect_checkpoint
from mmduet.io.failures import describe_failure
from mmduet.io.files import remove_partial, write_atomically
from mmduet.registry import HOOKS

RULES: dict[str, Callable[[float, float], bool]] = {'greater': operator.gt, 'less': operator.lt}


@HOOKS.register_module()
class GroundingCheckpointHook(Hook):
    """Write checkpoints after epochs, and the best one by a metric; an old one is deleted only when the new one is complete.

    The folder's ``checkpoints.json`` says of which run they are, which are kept and which is the best;
    ``last_checkpoint`` names the last for other programs.

    Args:
        interval: epochs between two checkpoints; the last epoch always writes one.
        iter_interval: also write every so many steps within an epoch, at the next update of the weights; None for never.
        max_keep_ckpts: how many to keep beside the best; -1 for all.
        save_best: name of the metric, with or without its prefix (``'acc@0.5'`` finds ``'grounding/acc@0.5'``), unless two
            evaluators give it; None for none.
        rule: ``'greater'`` or ``'less'``, whichever is better.
        minutes: also write within an epoch, where so many minutes have passed since the last one; None for never.
        background: write while training goes on, from a copy in the memory of the host: as much more memory as the file has
            bytes. Training waits for the copy only, and for a file that is still being written when the next one is due. A
            failure ends training at the next update. Otherwise each step waits until its file is complete.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: int = 1, iter_interval: int | None = None, max_keep_ckpts: int = 2,
                 save_best: str | None = 'acc@0.5', rule: str = 'greater', minutes: float | None = 5,
                 background: bool = True) -> None:
        if rule not in RULES or (max_keep_ckpts < 1 and max_keep_ckpts != -1):
            raise ValueError(f"rule must be 'greater' or 'less', and max_keep_ckpts positive or -1 for all, got {rule!r} and "
                             f'{max_keep_ckpts}')
        if minutes is not None and not minutes > 0:
            raise ValueError(f'minutes must be positive, got {minutes}')
        if interval < 1 or (iter_interval is not None and iter_interval < 1):
            raise ValueError(f'intervals must be positive, got {interval} and {iter_interval}')
        self._interval, self._iter_interval, self._max_keep = interval, iter_interval, max_keep_ckpts
        self._minutes, self._background = minutes, background
        self._clock: Minutes | None = None
        self._metric, self._rule = save_best, rule
        self._folder: Path | None = None
        self._kept: list[str] = []
        self._best: dict[str, Any] | None = None
        self._validated: int | None = None
        self._saved: int | None = None
        self._due = False

    def before_train(self, runner: Runner) -> None:
        """Read what an earlier run left, where this one resumes it; remove what a kill left half written."""
        self._folder = folder = Path(runner.work_dir)
        self._clock = None if self._minutes is None else Minutes(self._minutes)
        self._kept, self._best, self._validated, self._saved, self._due = [], None, None, None, False
        if runner._resume:
            # Where a signal or early stopping ends training at once, its checkpoint lies in this folder already.
            meta = runner._loaded_meta or {}
            self._saved = runner.iter if runner._load_from is None and meta.get('iter') == runner.iter else None
            if record := read_record(folder):
                self._kept = [name for name in record['kept'] if (folder / name).is_file()]
                self._best, self._validated = self._comparable(runner, record['best']), record['validated']
            elif (folder / RECORD).exists():
                runner.logger.warning(f'{folder / RECORD} cannot be read: old checkpoints are kept, the best is found anew.')
        self._write(runner)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Write within an epoch every ``iter_interval`` steps, after an update; the end of an epoch has its own checkpoint."""
        at_end = not counts_steps(runner) and self.end_of_epoch(runner.train_dataloader, batch_idx)
        at_end = at_end or runner.iter + 1 >= runner.max_iters
        self._due |= bool(self._iter_interval and self.every_n_train_iters(runner, self._iter_interval))
        self._due |= self._clock is not None and self._clock.are_over()
        # Between two updates the checkpoint would be larger, by the gradients that are being summed.
        if self._due and not at_end and is_updated(runner.optim_wrapper):
            self._save(runner, f'iter_{runner.iter + 1}.pth', runner.epoch, runner.iter + 1)

    def after_iteration_limit(self, runner: Runner) -> None:
        """Write where training stops inside an epoch, or after one that wrote none; the loop calls this."""
        if self._saved != runner.iter:
            self._save(runner, f'iter_{runner.iter}.pth', runner.epoch, runner.iter)

    def after_train_epoch(self, runner: Runner) -> None:
        """Write every ``interval`` epochs and after the last; at the end of a training that counts steps."""
        if counts_steps(runner):
            self.after_iteration_limit(runner)
        elif (self.every_n_epochs(runner, self._interval) or self.is_last_train_epoch(runner)
              or runner.iter >= runner.max_iters):
            self._save(runner, f'epoch_{runner.epoch + 1}.pth', runner.epoch + 1, runner.iter)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the weights when the metric is better than ever; the best before is deleted afterwards."""
        if self._folder is not None and self._metric is not None and metrics:
            score = float(find_metric(metrics, self._metric))
            if not math.isnan(score) and (self._best is None or RULES[self._rule](score, self._best['score'])):
                self._save_best(runner, self._metric, score)

    def after_val(self, runner: Runner) -> None:
        """Write that a validation was made, once all hooks have seen it; until then a resumed run makes it again."""
        if self._folder is not None:
            self._validated = runner.iter
            self._write(runner)

    def _measure(self, runner: Runner) -> dict[str, str | None]:
        """By what a best checkpoint is the best."""
        data = '' if runner.val_loop is None else identify_annotations(runner.val_dataloader.dataset)
        return {'metric': self._metric, 'rule': self._rule, 'data': data}

    def _comparable(self, runner: Runner, best: dict[str, Any] | None) -> dict[str, Any] | None:
        """The best of an earlier run, or None, and a warning, where it was by another measure; its file stays then."""
        now = self._measure(runner)
        other = [key for key, value in now.items() if best is not None and best.get(key, value) != value]
        if best is None or self._metric is None or not other:
            return best
        words = {'metric': f'by {best.get("metric")}', 'rule': f'by the rule {best.get("rule")!r}',
                 'data': 'on other validation data'}
        how = ' and '.join(words[key] for key in other)
        runner.logger.warning(f'{best["file"]} was the best {how}: it stays, and the best by {self._metric} is found from here '
                              'on.')
        return None

    def _save_best(self, runner: Runner, metric: str, score: float) -> None:
        when = f'iter_{runner.iter}' if counts_steps(runner) else f'epoch_{runner.epoch}'
        name = f'best_{metric.replace("/", "_")}_{when}.pth'
        checkpoint = collect_checkpoint(runner, name, {'epoch': runner.epoch, 'iter': runner.iter, 'best': {metric: score}},
                                        training=False, schedulers=False)
        surplus = [self._best['file']] if self._best is not None and self._best['file'] != name else []
        self._best = {'file': name, 'score': score, 'epoch': runner.epoch, **self._measure(runner)}
        self._write(runner, name, checkpoint, surplus)
        runner.logger.info(f'Best {metric} so far, {score:.4f}, at {when.replace("_", " ")}: {name}')

    def _save(self, runner: Runner, name: str, epoch: int, iteration: int) -> None:
        self._due = False
        runner.logger.info(f'Saving {name}')
        checkpoint = collect_checkpoint(runner, name, {'epoch': epoch, 'iter': iteration})
        self._saved = iteration
        self._kept = [kept for kept in self._kept if kept != name] + [name]
        surplus = self._kept[:-self._max_keep] if self._max_keep > 0 else []
        self._kept = self._kept[len(surplus):]
        self._write(runner, name, checkpoint, surplus, last=True)
        if self._clock is not None:
            self._clock.restart()

    def _write(self, runner: Runner, name: str = '', checkpoint: dict[str, Any] | None = None, surplus: Sequence[str] = (),
               last: bool = False) -> None:
        """Write a checkpoint, then what the folder says of it, then delete what is surplus; on the first rank.

        What a kill left half written goes too: nothing else is being written there then.
        """
        folder, record = Path(runner.work_dir), self._record(runner)

        def write() -> None:
            if checkpoint is not None:
                write_checkpoint(checkpoint, folder / name)
            try:
                remove_partial(folder)
                if last:
                    write_atomically(folder / POINTER, str(folder / name))
                write_atomically(folder / RECORD, record)
                for old in surplus:
                    (folder / old).unlink(missing_ok=True)
            except OSError as error:
                raise CheckpointError(f'{describe_failure(error, str(folder))}. The checkpoints are intact') from error

        if runner.rank == 0:
            runner.writer.submit(write)
        if not self._background:
            runner.writer.settle()

    def _record(self, runner: Runner) -> str:
        content = {'run': runner.run_id, 'kept': self._kept, 'best': self._best, 'validated': self._validated}
        return json.dumps(content, indent=1)


def counts_steps(runner: Runner) -> bool:
    """Whether training has no epochs; validation without training has an epoch, 0."""
    return isinstance(runner._train_loop, IterBasedTrainLoop)


def find_metric(metrics: Mapping[str, float], name: str) -> float:
    """Value of a metric by its name, without its evaluator's prefix and slash too.

    A ``ConfigError`` lists those there are, or those that have the name, where it is that of several.
    """
    found = [name] if name in metrics else least_nested([key for key in metrics if key.endswith(f'/{name}')])
    if not found:
        raise ConfigError(f'save_best={name!r} is not among the metrics: {", ".join(metrics)}')
    if len(found) > 1:
        raise ConfigError(f'save_best={name!r} is the name of several metrics: say which of {", ".join(found)}')
    return metrics[found[0]]
