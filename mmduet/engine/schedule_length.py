"""A training of another length than its config was written for: the schedule is stretched, and what does not fit is said."""
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mmengine.config import Config
from mmengine.optim import ConstantParamScheduler, CosineAnnealingParamScheduler, LinearParamScheduler, _ParamScheduler
from mmengine.optim.scheduler.param_scheduler import INF, MultiStepParamScheduler, StepParamScheduler
from mmengine.runner import IterBasedTrainLoop

if TYPE_CHECKING:
    from mmduet.engine.runner import GroundingRunner

# What of a schedule says when something happens: it keeps its share of the training.
SHARES = ('milestones', 'step_size', 'T_max', 'periods')


def set_epochs(cfg: Config, epochs: int, stated: Sequence[str] = ()) -> str | None:
    """Let a training have another number of epochs, and its schedule the same form over them.

    Milestones, periods and the epochs of a ``FreezeHook`` keep their share of the training, rounded, at least 1; what ends with
    the training ends with it. Warm-ups keep their length, and schedules that count steps are left alone.

    Args:
        stated: keys that ``--cfg-options`` gave: a schedule, or hooks, among them are taken as they are.

    Returns:
        The sentence that says what was changed; None where there was nothing to change.
    """
    before = cfg.train_cfg.get('max_epochs')
    cfg.train_cfg.max_epochs = epochs
    if before in (None, epochs):
        return None
    changes = [f'{place}.{key} {old} -> {new}' for part in ('param_scheduler', 'custom_hooks')
               if not any(each.split('.')[0] == part for each in stated)
               for place, key, old, new in _stretch(cfg.get(part) or [], part, before, epochs)]
    return None if not changes else (
        f'{epochs} epochs instead of {before}, so that the schedule is stretched: {"; ".join(changes)}. '
        f'--cfg-options train_cfg.max_epochs={epochs} leaves it as it is')


def _stretch(parts: Any, place: str, before: int, now: int) -> Iterator[tuple[str, str, Any, Any]]:
    """Change schedules or hooks in place; yields where, the key, the old value and the new one."""
    for index, part in enumerate(parts) if isinstance(parts, list | tuple) else [(None, parts)]:
        where = place if index is None else f'{place}.{index}'
        freezes = _name(part.get('type')) == 'FreezeHook'
        if place == 'param_scheduler' and not part.get('by_epoch', True):
            continue
        for key in (*SHARES, 'end', 'total_steps') if place == 'param_scheduler' else ('epochs', ) if freezes else ():
            old, begin = part.get(key), part.get('begin', 0)
            if old == before:
                new: Any = now if now > begin else old  # one that never begins: said when training starts
            elif key == 'T_max' and old == before - begin:  # it turns where the training ends
                new = now - begin if now > begin else old
            elif old is None or key in ('end', 'total_steps'):
                continue
            else:
                new = [_share(each, before, now) for each in old] if isinstance(old, list | tuple) else _share(old, before, now)
            if new != old:
                part[key] = new
                yield where, key, old, new


def _share(epoch: int, before: int, now: int) -> int:
    return max(round(epoch * now / before), 1) if epoch > 0 else epoch


def _name(kind: Any) -> str:
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]


def describe_misfits(runner: 'GroundingRunner') -> list[str]:
    """Warnings, one of each schedule that does not fit the length of the training: a rate that nobody may have meant.

    A training that ``max_iters`` stops in its middle, to go on later, has the schedule of its whole length.
    """
    counted = isinstance(runner.train_loop, IterBasedTrainLoop)
    steps = runner.max_iters if counted else runner.max_epochs * len(runner.train_dataloader)
    schedules = runner.param_schedulers if isinstance(runner.param_schedulers, list) else []
    lines, ends = [], {}
    for schedule in schedules:
        total, unit = (runner.max_epochs, 'epochs') if schedule.by_epoch else (steps, 'steps')
        said = _misfit(schedule, total, unit)
        lines += [f'{type(schedule).__name__} {said}, and training has {total:,} {unit}'] if said else []
        ends[f'after {schedule.end:,} of {total:,} {unit}'] = schedule.end / total, schedule
    when, (share, last) = max(ends.items(), key=lambda item: item[1][0], default=('', (1.0, None)))
    # Where training stops before its end, no rate is taken after that.
    if share < min(runner.max_iters / steps, 1) and not _warms_up(last):
        lines.append(f'{type(last).__name__} is over {when}: the rate stays what it is then')
    return lines


def _misfit(schedule: Any, total: int, unit: str) -> str | None:
    """What of a schedule lies beyond the end of the training, or ends before it; None where it fits."""
    if not isinstance(schedule, _ParamScheduler):
        return None  # one that follows a metric
    if schedule.begin >= total:
        return f'never begins: it does after {schedule.begin:,} {unit}'
    if isinstance(schedule, MultiStepParamScheduler):
        missed = [schedule.begin + each for each in sorted(schedule.milestones) if schedule.begin + each >= total]
        return f'never comes to {", ".join(f"{each:,}" for each in missed)} {unit}' if missed else None
    if isinstance(schedule, StepParamScheduler):
        return None
    end = schedule.end
    if isinstance(schedule, CosineAnnealingParamScheduler):
        turn = schedule.begin + schedule.T_max
        if turn < min(end, total):
            return f'turns after {turn:,} {unit}, so that the rate rises again'
        end = turn
    return f'is cut short: it ends after {end:,} {unit}' if total < end < INF else None


def _warms_up(schedule: Any) -> bool:
    return isinstance(schedule, ConstantParamScheduler) or (
        isinstance(schedule, LinearParamScheduler) and schedule.start_factor <= schedule.end_factor)
