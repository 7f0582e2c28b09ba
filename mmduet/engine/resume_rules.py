"""What may differ between a config and the training that it resumes: by rule taken in silence, taken and listed, or refused.

A checkpoint carries what of its config decides the weights (``training`` in its meta). Resuming compares it with the config of
now; docs/config.md states the rules.
"""
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from mmengine.config import Config
from mmengine.config.lazy import LazyAttr, LazyObject
from mmengine.hooks import EMAHook
from mmengine.optim import OptimWrapper, ReduceOnPlateauParamScheduler, _ParamScheduler
from torch import nn

from mmduet.engine.checkpoint import CheckpointError
from mmduet.io.text import counted

if TYPE_CHECKING:
    from mmduet.engine.runner import GroundingRunner

# The keys of a config that decide what is learnt.
DECISIVE = ('model', 'data_preprocessor', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr',
            'custom_hooks', 'randomness', 'sync_bn')
SILENT = re.compile(
    # By their place: a part of somebody's own may have a parameter of such a name that decides what is learnt.
    r'train_dataloader\.(.*\.)?(num_workers|persistent_workers|prefetch_factor|pin_memory|pin_memory_device|timeout'
    r'|multiprocessing_context|data_root|cache|cache_mb)|optim_wrapper\.(.*\.)?(fused|foreach)'
    r'|model\.(.*\.)?(pretrained|vocab|model_config)|train_cfg\.(max_iters|val_interval|val_begin|dynamic_intervals.*)'
    r'|randomness\.(deterministic|diff_rank_seed)')
LISTED = re.compile(r'train_cfg\.max_epochs|optim_wrapper\.(type|dtype|loss_scale|clip_grad.*)|custom_hooks.*'
                    r'|sync_bn|world_size|precision.*')


@dataclass(frozen=True)
class Difference:
    """A setting that was another one when the checkpoint was written."""

    key: str
    before: str
    now: str

    @property
    def silent(self) -> bool:
        """Whether it changes nothing of what is learnt."""
        return SILENT.fullmatch(self.key) is not None and not self.key.startswith('model.teacher')

    @property
    def listed(self) -> bool:
        """Whether it is taken, as MMEngine takes it, and said."""
        return LISTED.fullmatch(self.key) is not None

    def __str__(self) -> str:
        return f'{self.key}: {self.before} -> {self.now}'


def describe_training(cfg: Config) -> dict[str, str]:
    """What of a config decides the weights, as text by dotted key.

    >>> from mmduet.engine.config_tools import load_config
    >>> from mmduet.engine.resume_rules import describe_training
    >>> told = describe_training(load_config('configs/transvg/transvg_refshapes.py'))
    >>> told['optim_wrapper.optimizer.type'], told['train_dataloader.batch_size']
    ('AdamW', '16')
    """
    plain = cfg._to_lazy_dict()
    return dict(_leaves({key: plain[key] for key in DECISIVE if plain.get(key) is not None}, ''))


def describe_machine(runner: 'GroundingRunner') -> dict[str, str]:
    """What of a training follows from where it runs: the number of processes, and precisions that ``'auto'`` may choose."""
    wrapper, teachers = runner.optim_wrapper, getattr(runner.plain_model, 'teachers', None) or {}
    found = {'world_size': str(runner.world_size)}
    if isinstance(wrapper, OptimWrapper):
        found['precision'] = str(getattr(wrapper, 'cast_dtype', torch.float32)).removeprefix('torch.')
    chosen = {name: getattr(teacher, 'precision', None) for name, teacher in teachers.items()}
    return found | {f'precision of {name}': str(value) for name, value in chosen.items() if value is not None}


def _leaves(node: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping) or (isinstance(node, list | tuple) and any(isinstance(item, Mapping) for item in node)):
        for key, value in node.items() if isinstance(node, Mapping) else enumerate(node):
            yield from _leaves(value, f'{place}.{key}' if place else str(key))
    elif isinstance(node, LazyObject | LazyAttr) or callable(node) or _names_a_class(node):
        # However it is written: imported, by its dotted path or by its name in a registry.
        name = str(node) if isinstance(node, str | LazyObject | LazyAttr) else getattr(node, '__name__', type(node).__name__)
        yield place, name.rpartition('.')[2]
    else:
        # A dumped config has lists where the config had tuples.
        yield place, repr(list(node) if isinstance(node, tuple) else node)


def _names_a_class(node: Any) -> bool:
    return isinstance(node, str) and re.fullmatch(r'([a-zA-Z_]\w*\.)*[A-Z]\w*|([a-z_]\w*\.)+\w+', node) is not None


def compare(before: Mapping[str, str], now: Mapping[str, str]) -> list[Difference]:
    """Settings that differ and matter; a part that is put in or taken out is one difference."""
    found = [Difference(key, before.get(key, 'not there'), now.get(key, 'not there'))
             for key in dict.fromkeys((*before, *now)) if before.get(key) != now.get(key)]
    return [difference for difference in found if not difference.silent]


def compare_vocabularies(before: str | None, now: str | None) -> list[Difference]:
    """The first line by which vocabularies, the content of a ``vocab.txt`` or None, differ: its path does not tell."""
    if before is None or now is None:
        was, is_now = ('none' if text is None else counted(len(text.splitlines()), 'line') for text in (before, now))
        return [] if before is now else [Difference('vocabulary', was, is_now)]
    for number, (old, new) in enumerate(zip_longest(before.splitlines(), now.splitlines()), 1):
        if old != new:
            return [Difference(f'line {number} of the vocabulary', repr(old), repr(new))]
    return []


def compare_contents(before: Mapping[str, Sequence[str]], now: Mapping[str, Sequence[str]]) -> list[Difference]:
    """Files, by ``describe_contents``, that hold something else than when the checkpoint was written.

    One that there is only now or only then is none of them: what names it in the config tells.
    """
    return [Difference(f'content of {now[key][0]}', *(f'SHA-256 {sha[:12]}...' for sha in (before[key][1], now[key][1])))
            for key in now if key in before and before[key][1] != now[key][1]]


def find_moved(before: Mapping[str, Sequence[str]], now: Mapping[str, Sequence[str]]) -> set[str]:
    """Keys of a config whose file, by ``describe_contents``, lies elsewhere now and holds the same.

    A file whose path names OpenAI then or now alone is none of them, nor one with a description beside it then or now alone:
    what its bytes do not tell of a CLIP, these may.
    """
    same = {key for key in now if key in before and before[key][1] == now[key][1] and before[key][0] != now[key][0]
            and (f'beside {key}' in before) == (f'beside {key}' in now)}
    if not same:
        return same
    from mmduet.models.teachers.file_facts import names_openai  # open_clip takes its time
    return {key for key in same if names_openai(Path(before[key][0])) == names_openai(Path(now[key][0]))}


def check_resume(runner: 'GroundingRunner', checkpoint: dict[str, Any], source: str) -> None:
    """List what differs from the training that wrote a checkpoint.

    Raises:
        CheckpointError: something differs that changes what is learnt, and the config does not set ``resume_changed``; or the
            model's parameters are in another order, by which the optimizer knows them.
    """
    _check_order(runner.plain_model, checkpoint, source)
    now, before = {**describe_training(runner.cfg), **describe_machine(runner)}, checkpoint['meta'].get('training')
    if isinstance(before, dict):
        told = checkpoint['meta'].get('machine') or {}
        before = {**before, **{key: str(told.get(key, value)) for key, value in describe_machine(runner).items()}}
    files = checkpoint['meta'].get('files') or {}
    moved = find_moved(files, runner.contents)
    differences = [each for each in compare(before, now) if each.key not in moved] if isinstance(before, dict) else []
    # What the config asks for says enough.
    if any(re.fullmatch(r'optim_wrapper\.(type|dtype)|.*\.precision', each.key) for each in differences):
        differences = [each for each in differences if not each.key.startswith('precision')]
    if 'vocabulary' in checkpoint['meta']:
        vocabulary = None if runner.tokenizer is None else runner.tokenizer.vocabulary
        differences += compare_vocabularies(checkpoint['meta']['vocabulary'], vocabulary)
    differences += compare_contents(files, runner.contents)
    averaged = any(isinstance(hook, EMAHook) for hook in runner.hooks)
    if averaged != ('ema_state_dict' in checkpoint):
        words = ('averaged', 'not averaged')
        differences = [each for each in differences if not each.key.startswith('custom_hooks')]
        differences.insert(0, Difference('moving average of the weights (EMAHook, --ema)', words[averaged],
                                         words[not averaged]))
    refused = [each for each in differences if not each.listed]
    lines = '\n  '.join(map(str, differences))
    if refused and not runner.cfg.get('resume_changed'):
        raise CheckpointError(
            f'{source} comes from a training with other settings or files (then -> now):\n  {lines}\nUndo the changes, '
            'go on with them by --resume-changed, or start anew from the weights by --load-from')
    if differences:
        runner.logger.warning(f'What differs from the training that wrote {source} (then -> now), and is taken:\n  {lines}')
    seed = runner._randomness_cfg.get('seed')
    if runner.cfg.get('resume_changed') and seed is not None:
        checkpoint['meta']['seed'] = seed  # MMEngine would go back to the checkpoint's, in some parts of the training
    if 'ema_state_dict' in checkpoint and not averaged:
        # The weights that were trained, not their average, which nobody goes on averaging.
        trained = checkpoint.pop('ema_state_dict')
        checkpoint['state_dict'] = {key.removeprefix('module.'): value for key, value in trained.items()
                                    if key.startswith('module.')}


def _check_order(model: nn.Module, checkpoint: Mapping[str, Any], source: str) -> None:
    trained = dict.fromkeys(name for name, parameter in model.named_parameters() if parameter.requires_grad)
    there = [name for name in checkpoint['state_dict'] if name in trained]
    common = set(there)
    for now, before in zip((name for name in trained if name in common), there, strict=True):
        if now != before:
            raise CheckpointError(
                f'{source} comes from a training whose model had its parameters in another order, {before} where {now} is now, '
                'so that states of the optimizer would be exchanged. Parts, such as the terms of a head, stand in another '
                'order: resume with the config that it was trained with')


def optimizer_settings(optim_wrapper: OptimWrapper) -> list[dict[str, Any]]:
    """What the config says of each parameter group."""
    return [{name: value for name, value in group.items() if name != 'params'} for group in optim_wrapper.param_groups]


# What a schedule has come to, unlike what a config says of it.
REACHED = ('last_step', '_global_step', '_last_value', 'base_values', 'best', 'num_bad_epochs', 'cooldown_counter')


def schedule_settings(schedulers: Sequence[_ParamScheduler]) -> list[dict[str, Any]]:
    """What the config says of each schedule."""
    return [{name: value for name, value in scheduler.state_dict().items() if name not in REACHED} for scheduler in schedulers]


def take_schedules(schedulers: Sequence[_ParamScheduler], settings: Sequence[Mapping[str, Any]]) -> None:
    """Let schedules that a checkpoint has brought be those of the config, from the rate that was reached.

    A schedule without an end of its own ends with the training, so that it moves where a training goes on for longer than it
    was to: its last step is made up for. One on a plateau of another metric, or by another rule, knows no best value yet.
    """
    for scheduler, wanted in zip(schedulers, settings, strict=True):
        another = any(vars(scheduler).get(name) != wanted.get(name) for name in ('monitor', 'rule'))
        vars(scheduler).update(wanted)
        if another and isinstance(scheduler, ReduceOnPlateauParamScheduler):
            scheduler._reset()
        if not hasattr(scheduler, 'need_val_args'):
            reached = scheduler._global_step
            missing = min(reached, scheduler.end - 1) - scheduler.begin - scheduler.last_step
            for step in range(reached - missing, reached) if missing > 0 and reached >= scheduler.begin else ():
                scheduler._global_step = step
                with warnings.catch_warnings():
                    warnings.simplefilter('ignore')  # the optimizer's step was in the training that ended
                    scheduler.step()
            scheduler._global_step = reached


def take_rates(optim_wrapper: OptimWrapper, settings: Sequence[Mapping[str, Any]],
               schedulers: Sequence[_ParamScheduler]) -> None:
    """Let an optimizer's settings be those of the config; rates keep the share of the first that the schedule has reached."""
    for group, wanted in zip(optim_wrapper.param_groups, settings, strict=True):
        first = group.get('initial_lr', group['lr'])
        share = group['lr'] / first if first else 1.0
        start = wanted.get('initial_lr', wanted['lr'])
        group.update({name: value for name, value in wanted.items() if name not in ('lr', 'initial_lr')})
        group['lr'] = start * share
        if 'initial_lr' in group:
            group['initial_lr'] = start
    for scheduler in schedulers:
        name = scheduler.param_name
        scheduler.base_values = [group[f'initial_{name}'] for group in optim_wrapper.param_groups]
        scheduler._last_value = [group[name] for group in optim_wrapper.param_groups]
