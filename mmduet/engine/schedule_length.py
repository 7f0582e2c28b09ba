"""A training of another length than its config was written for: the schedule is stretched, and what does not fit is said."""
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, TypeAlias

from mmengine.config import Config
from mmengine.optim import ConstantParamScheduler, CosineAnnealingParamScheduler, LinearParamScheduler, _ParamScheduler
from mmengine.optim.scheduler.param_scheduler import INF, MultiStepParamScheduler, StepParamScheduler
from mmengine.runner import IterBasedTrainLoop

from mmduet.io.text import counted

if TYPE_CHECKING:
    from mmduet.engine.runner import GroundingRunner

# Schedules or hooks of a config with their places; a place, a key, its old and its new value.
Parts: TypeAlias = Sequence[tuple[str, Any]]
Change: TypeAlias = tuple[str, str, Any, Any]
# What of a schedule is counted since it began, and what is a length by itself.
SINCE_BEGIN, LENGTHS = ('milestones', 'T_max', 'total_steps'), ('step_size', 'periods')


def set_epochs(cfg: Config, epochs: int, stated: Sequence[str] = ()) -> str | None:
    """Let a training have another number of epochs, and its schedule the same form over them.

    Where a schedule begins, steps, turns and ends, its periods, and the epochs of a ``FreezeHook`` keep their share of the
    training, rounded, at least 1; what ends with the training ends with it. Warm-ups keep their length, and what follows one
    begins where it ends. Schedules that count steps are left alone.

    Args:
        stated: keys that ``--cfg-options`` gave: a schedule, or hooks, among them are taken as they are.

    Returns:
        The sentence that says what was changed; None where there was nothing to change.
    """
    before = cfg.train_cfg.get('max_epochs')
    cfg.train_cfg.max_epochs = epochs
    if before in (None, epochs):
        return None
    changes = [f'{place}.{key} {old} -> {new}'
               for part, stretch in (('param_scheduler', _stretch_schedules), ('custom_hooks', _stretch_hooks))
               if not any(each.split('.')[0] == part for each in stated)
               for place, key, old, new in stretch(_with_places(cfg.get(part) or [], part), before, epochs)]
    return None if not changes else (
        f'{counted(epochs, "epoch")} instead of {before}, so that the schedule is stretched: {"; ".join(changes)}. '
        f'--cfg-options train_cfg.max_epochs={epochs} leaves it as it is')


def _with_places(parts: Any, place: str) -> Parts:
    if not isinstance(parts, list | tuple):
        return [(place, parts)]
    return [(f'{place}.{index}', part) for index, part in enumerate(parts)]


def _stretch_hooks(hooks: Parts, before: int, now: int) -> Iterator[Change]:
    for place, hook in hooks:
        if _name(hook.get('type')) == 'FreezeHook' and hook.get('epochs') is not None:
            yield from _change(place, hook, {'epochs': _share(hook['epochs'], before, now)})


def _stretch_schedules(schedules: Parts, before: int, now: int) -> Iterator[Change]:
    counted = [(place, each) for place, each in schedules if each.get('by_epoch', True)]
    kept = _ends_of_warm_ups([each for _, each in counted], before)
    for place, schedule in counted:
        yield from _change(place, schedule, _stretched(schedule, before, now, kept))


def _stretched(schedule: Mapping[str, Any], before: int, now: int, kept: Set[int]) -> dict[str, Any]:
    """The keys of a schedule for another length; none of one that never begins, which is said when training starts."""
    begin, end = schedule.get('begin', 0), schedule.get('end')
    start = _boundary(begin, before, now, kept)
    if begin >= before or start >= now:
        return {}

    def since_begin(epoch: int) -> int:
        return max(_share(begin + epoch, before, now) - start, 1) if epoch > 0 else epoch

    def length(epochs: int) -> int:
        return _share(epochs, before, now)

    new: dict[str, Any] = {'begin': start}
    for key in (*SINCE_BEGIN, *LENGTHS):
        moved, old = since_begin if key in SINCE_BEGIN else length, schedule.get(key)
        if old is not None:
            new[key] = [moved(each) for each in old] if isinstance(old, list | tuple) else moved(old)
    if end is not None and end <= before:
        new['end'] = max(_boundary(end, before, now, kept), start + 1)
    return new


def _boundary(epoch: int, before: int, now: int, kept: Set[int]) -> int:
    """Where one schedule ends and another may begin: the same place for both, inside the training and after its warm-ups."""
    if epoch in kept or epoch >= before:
        return now if epoch == before else epoch
    return max(min(_share(epoch, before, now), now - 1), *(each for each in kept if each < epoch))


def _ends_of_warm_ups(schedules: Sequence[Mapping[str, Any]], before: int) -> set[int]:
    """The start and the epochs at which warm-ups end: schedules that rise, at the start or where another warm-up ends."""
    ends = {0}
    for schedule in sorted(schedules, key=lambda each: int(each.get('begin', 0))):
        name, end = _name(schedule.get('type')), schedule.get('end')
        rises = 'Warmup' in name or (name.startswith('Constant') and schedule.get('factor', 1 / 3) < 1) or (
            name.startswith('Linear') and schedule.get('start_factor', 1 / 3) < schedule.get('end_factor', 1.0))
        if rises and schedule.get('begin', 0) in ends and end is not None and end < before:
            ends.add(end)
    return ends


def _change(place: str, part: Any, new: Mapping[str, Any]) -> Iterator[Change]:
    """Give a part of a config new values; yields those that are others than before."""
    for key, value in new.items():
        old = part.get(key, 0 if key == 'begin' else None)
        if value != old:
            part[key] = value
            yield place, key, old, value


def _share(epoch: int, before: int, now: int) -> int:
    return max(round(epoch * now / before), 1) if epoch > 0 else epoch


def _name(kind: Any) -> str:
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]


def describe_misfits(runner: 'GroundingRunner') -> list[str]:
    """Warnings, one of each schedule that does not fit the length of the training: a rate that nobody may have meant.

    A training that ``max_iters`` stops in its middle, to go on later, has the schedule of its whole length.
    """
    by_steps = isinstance(runner.train_loop, IterBasedTrainLoop)
    steps = runner.max_iters if by_steps else runner.max_epochs * len(runner.train_dataloader)
    schedules = runner.param_schedulers if isinstance(runner.param_schedulers, list) else []
    lines, ends = [], {}
    for schedule in schedules:
        total, unit = (runner.max_epochs, 'epoch') if schedule.by_epoch else (steps, 'step')
        said = _misfit(schedule, total, unit)
        lines += [f'{type(schedule).__name__} {said}, and training has {counted(total, unit)}'] if said else []
        ends[f'after {schedule.end:,} of {counted(total, unit)}'] = schedule.end / total, schedule
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
        return f'never begins: it does after {counted(schedule.begin, unit)}'
    if isinstance(schedule, MultiStepParamScheduler):
        missed = [schedule.begin + each for each in sorted(schedule.milestones) if schedule.begin + each >= total]
        numbers = ', '.join(f'{each:,}' for each in missed)
        return f'never comes to {numbers} {unit}{"" if missed == [1] else "s"}' if missed else None
    if isinstance(schedule, StepParamScheduler):
        return None
    end = schedule.end
    if isinstance(schedule, CosineAnnealingParamScheduler):
        turn = schedule.begin + schedule.T_max
        if turn < min(end, total):
            return f'turns after {counted(turn, unit)}, so that the rate rises again'
        end = turn
    return f'is cut short: it ends after {counted(end, unit)}' if total < end < INF else None


def _warms_up(schedule: Any) -> bool:
    return isinstance(schedule, ConstantParamScheduler) or (
        isinstance(schedule, LinearParamScheduler) and schedule.start_factor <= schedule.end_factor)
