"""What a person wants to know of a training before its first loss: about ten lines."""
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from mmengine.device import get_device
from mmengine.hooks import EMAHook
from torch import nn
from torch.utils.data import DataLoader

from mmduet.engine.config_tools import splits_of, walk
from mmduet.engine.hooks.checkpoint_hook import GroundingCheckpointHook, counts_steps
from mmduet.engine.version import describe_version
from mmduet.io.config_text import objects_without_text
from mmduet.io.text import counted
from mmduet.io.weights import some
from mmduet.models.distill import DistilledGrounder, RegionContrastTerm, RelationTerm

if TYPE_CHECKING:
    from mmduet.engine.runner import GroundingRunner


def describe_run(runner: 'GroundingRunner') -> list[str]:
    """The lines, one fact each: version, data, model, losses, what was loaded, steps, rate, device, checkpoints, places."""
    model = runner.plain_model
    return [f'{describe_version()}, PyTorch {torch.__version__}, config {runner.cfg.filename or "made by a program"}',
            f'Data: {_describe_data(runner)}', f'Model: {_describe_model(model)}', f'Losses: {describe_losses(model)}',
            f'Weights: {_describe_weights(runner)}', f'Steps: {describe_steps(runner)}', f'Rate: {_describe_rate(runner)}',
            f'Device: {_describe_device(runner)}', f'Checkpoints: {_describe_checkpoints(runner)}',
            f'Everything goes to {runner.work_dir}; config, environment and all lines to {log_file(runner)}']


def log_file(runner: 'GroundingRunner') -> Path:
    """The log of this run."""
    return Path(runner.log_dir) / f'{runner.timestamp}.log'


def _describe_loader(loader: DataLoader[Any], cfg: Mapping[str, Any]) -> str:
    dataset = loader.dataset
    name = (getattr(dataset, 'metainfo', None) or {}).get('dataset_name') or type(dataset).__name__
    splits = splits_of(cfg)
    what = 'expressions' if splits else 'samples'
    return f'{len(dataset):,} {what} of {" ".join([str(name), "+".join(splits)]).strip()}'  # type: ignore[arg-type]


def _describe_data(runner: 'GroundingRunner') -> str:
    text = _describe_loader(runner.train_dataloader, runner.cfg.train_dataloader)
    if runner.val_loop is None:
        return f'{text}; no validation'
    often = _every(getattr(runner.train_loop, 'val_interval', 1), 'step' if counts_steps(runner) else 'epoch')
    return f'{text}; validated {often} on {_describe_loader(runner.val_dataloader, runner.cfg.val_dataloader)}'


def _every(number: float, unit: str) -> str:
    return f'every {unit}' if number == 1 else f'every {number:,.15g} {unit}s'


def count(parameters: Iterator[nn.Parameter] | list[nn.Parameter]) -> str:
    """``12.34 M``, or ``1,234`` where there are few."""
    total = sum(parameter.numel() for parameter in parameters)
    return f'{total / 1e6:.2f} M' if total >= 1e5 else f'{total:,}'


def _describe_model(model: nn.Module) -> str:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    text = f'{count(trained)} parameters trained, {count(frozen)} frozen'
    if not isinstance(model, DistilledGrounder):
        return f'{type(model).__name__}, {text}'
    teachers = [f'{name} {type(teacher).__name__} ({count(list(teacher.parameters()))}, frozen)'
                for name, teacher in model.teachers.items()]
    return f'{type(model.student).__name__} distilled by {type(model.head).__name__}, {text}; {", ".join(teachers)}'


def describe_objects(config: Mapping[str, Any]) -> list[str]:
    """The sentence that names what of a config its text, in the work folder and in checkpoints, cannot hold; none for none."""
    found = [f'{place} ({type(value).__name__})' for place, value in objects_without_text(config)]
    return [f'No text can hold {some(found)} of the config: from the copy in the work folder nothing can be trained, and a '
            'checkpoint whose student or test pipeline needs it is predicted from with this config alone, by --config. A class '
            'and its parameters, or the name of a layer, can be written'] if found else []


def describe_empty_head(model: nn.Module) -> list[str]:
    """The sentence about a distillation head whose terms were all left out, as by two patches; none for none."""
    terms = getattr(model.head, 'terms', None) if isinstance(model, DistilledGrounder) else None
    return [] if terms is None or len(terms) else [
        f'{type(model.head).__name__} has no term, so that nothing is distilled and the student is trained alone: patches that '
        'leave terms out add up. --patch plain trains it without a teacher']


def describe_losses(model: nn.Module) -> str:
    """The losses of a model with their weights, as they add up."""
    student = model.student if isinstance(model, DistilledGrounder) else model
    box = getattr(student, 'box_loss', None)
    parts = [f"{type(student).__name__}'s own" if box is None else _weights(box)]
    if isinstance(model, DistilledGrounder):
        total = getattr(model.head, 'weight', 1.0)
        terms = [f'{name} {getattr(term, "weight", 1.0) * total:g}' for name, term in getattr(model.head, 'terms', {}).items()]
        steps = getattr(model.head, 'warmup_steps', 0)
        growing = f' (growing over {counted(steps, "update")})' if steps else ''
        parts.append(f'{", ".join(terms) or type(model.head).__name__}{growing}')
    if getattr(student, 'score_head', None) is not None:
        parts.append(type(student.score_head).__name__)
    return '; '.join(parts)


def _weights(loss: nn.Module) -> str:
    found = {name: value for name, value in vars(loss).items() if name.endswith('weight') and isinstance(value, int | float)}
    return type(loss).__name__ + ''.join(f', {name.removesuffix("_weight")} {value:g}' for name, value in found.items())


def _describe_weights(runner: 'GroundingRunner') -> str:
    model = runner.plain_model
    source = runner.loaded_file
    if source is not None:
        return f'{"resumed at step " + format(runner.iter, ",") + " from" if runner._resume else "loaded from"} {source}'
    student = model.student if isinstance(model, DistilledGrounder) else model
    config = runner.cfg.model if isinstance(runner.cfg.model, Mapping) else {}
    loaded, files = _loaded_parts(student), dict[str, list[str]]()
    for part, path in loaded.items():
        files.setdefault(path, []).append(part)
    said = [f'{", ".join(parts)} from {path}' for path, parts in files.items()]
    own = config.get('student', config).get('pretrained')
    if own is not None and str(own) not in files:
        said.append(f'from {own}')  # by a student that does not say which parts
    elif random := [name for name, child in student.named_children() if any(True for _ in child.parameters())
                    and not any(part.split('.')[0] == name for part in loaded)]:
        said.append(f'random: {", ".join(random)}')
    said += [f'teacher from {node["pretrained"]}' for node in walk(config.get('teacher')) if node.get('pretrained')]
    return '; '.join(said)


def _loaded_parts(student: nn.Module) -> dict[str, str]:
    """Where the weights of a student's parts are from, by the name of the part."""
    found = {}
    for prefix, module in student.named_modules():
        found.update({f'{prefix}.{part}'.strip('.'): path for part, path in getattr(module, 'loaded_from', {}).items()})
        init = getattr(module, 'init_cfg', None)
        if isinstance(init, Mapping) and init.get('type') == 'Pretrained':
            found[prefix] = str(init.get('checkpoint'))
    return found


def describe_steps(runner: 'GroundingRunner') -> str:
    """What a step and an update see, and how many there are."""
    batch, calls = runner.train_dataloader.batch_sampler.batch_size, runner.optim_wrapper._accumulative_counts
    ranks, total = runner.world_size, batch * runner.world_size * calls
    text = f'{counted(ranks, "process", "processes")} x {counted(batch, "expression")}'
    text += f' x {calls} accumulated steps' if calls > 1 else ''
    text += f' = {counted(total, "expression")} an update; '
    if counts_steps(runner):
        return f'{text}{counted(runner.max_iters, "step")}'
    length = len(runner.train_dataloader)
    whole = f'{counted(runner.max_epochs * length, "step")} in {counted(runner.max_epochs, "epoch")} of {length:,}'
    stops = f', stopped after {runner.max_iters:,}; the schedule is that of all'
    return text + whole + (stops if runner.max_iters < runner.max_epochs * length else '')


def describe_accumulation(runner: 'GroundingRunner') -> list[str]:
    """Warnings, one of each term whose loss is not that of one large batch, as an update is made of several steps."""
    model, calls = runner.plain_model, runner.optim_wrapper._accumulative_counts
    if calls == 1 or not isinstance(model, DistilledGrounder):
        return []
    alone = runner.train_dataloader.batch_sampler.batch_size
    lines = []
    for name, term in getattr(model.head, 'terms', {}).items():
        if isinstance(term, RelationTerm) and not term.joins_steps:
            seen = alone * (runner.world_size if term.gathers else 1)
            lines.append(f'{name} compares the {seen:,} expressions of a step, not the {seen * calls:,} of an update, as one '
                         f'large batch would: --cfg-options model.head.terms.{name}.bank=True joins those')
        elif isinstance(term, RegionContrastTerm) and term.gathers:
            seen = alone * runner.world_size
            lines.append(f'{name} takes negatives of other images from the {seen:,} expressions of a step, not from the '
                         f'{seen * calls:,} of an update, as one large batch would: no option joins those')
    return lines


def _describe_rate(runner: 'GroundingRunner') -> str:
    optimizer = runner.optim_wrapper.optimizer
    rates = sorted({group.get('initial_lr', group['lr']) for group in optimizer.param_groups}, reverse=True)
    text = f'{type(optimizer).__name__}, {" and ".join(f"{rate:.4g}" for rate in rates[:4])}'
    if runner.rate_scaling is not None:
        base, factor, enabled = runner.rate_scaling
        scaled = f'{rates[0] / factor:.4g} for {base} expressions an update, times {factor:g} for what it sees'
        unscaled = f'for {base} expressions an update{"" if factor == 1 else ", and not scaled: auto_scale_lr is off"}'
        text += f' ({scaled if enabled else unscaled})'
    schedules = runner.param_schedulers if isinstance(runner.param_schedulers, list) else []
    return '; '.join([text, ', '.join(type(schedule).__name__ for schedule in schedules) or 'no schedule'])


def _describe_device(runner: 'GroundingRunner') -> str:
    device = get_device()
    threads = counted(torch.get_num_threads(), 'thread')
    name = torch.cuda.get_device_name() if device == 'cuda' else threads if device == 'cpu' else ''
    dtype = getattr(runner.optim_wrapper, 'cast_dtype', None) or torch.float32
    averaged = any(isinstance(hook, EMAHook) for hook in runner.hooks)
    return (f'{device}{f" ({name})" if name else ""}, {str(dtype).removeprefix("torch.")}'
            f'{", a moving average of the weights is validated and saved" if averaged else ""}, seed {runner.seed}')


def _describe_checkpoints(runner: 'GroundingRunner') -> str:
    hook = next((hook for hook in runner.hooks if isinstance(hook, GroundingCheckpointHook)), None)
    if hook is None:
        others = [type(hook).__name__ for hook in runner.hooks if 'Checkpoint' in type(hook).__name__]
        return ', '.join(others) or 'none are written'
    often = ['at the end' if counts_steps(runner) else _every(hook._interval, 'epoch')]
    often += [_every(hook._iter_interval, 'step')] if hook._iter_interval is not None else []
    often += [_every(hook._minutes, 'minute')] if hook._minutes is not None else []
    kept = 'all are kept' if hook._max_keep == -1 else f'the last {hook._max_keep} are kept'
    return f'{" and ".join(often)}; {kept}' + (f', and the best by {hook._metric}' if hook._metric is not None else '')
