"""One run of an experiment: a config with an arm's patches and a seed, trained and evaluated, and the record of it."""
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmduet.engine import config_tools
from mmduet.engine.checkpoint import write_checkpoint
from mmduet.engine.config_tools import ConfigError
from mmduet.engine.pretraining import stated_excludes
from mmduet.engine.type_check import naming_unknown_types
from mmduet.evaluation.data_overlap import excluded_from_pretraining
from mmduet.registry import METRICS, RUNNERS
from projects.ablation.evaluation import evaluate, first_items
from projects.ablation.fingerprint import hash_bytes, hash_config, hash_data, hash_state
from projects.ablation.runs import append_record
from projects.ablation.trial_hook import TrialHook, student_of

CHECKPOINT = 'last.pth'
DEFAULTS = {'curve_points': 5, 'curve_expressions': 500, 'budget_factor': 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one training process is told.

    Attributes:
        arm: name of the arm, with the value that a sweep gives it.
        config: path of the config that all arms change.
        patches: of the setting and of the arm, in the order in which they change the config.
        seed: of weights, order and augmentation.
        work_dir: folder of this run's log and checkpoint.
        out: file that the record is added to.
        options: changes to the config, ``key=value``.
        data_root: for every data set of the config; None for the config's.
        train_size: how many of the training expressions; None for the config's.
        steps: budget of every arm; None for the config's.
        identity: fields of the record that are known before: ``config_hash``, ``data_hash`` and the commit.
    """

    arm: str
    config: str
    seed: int
    work_dir: str
    out: str
    patches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    data_root: str | None = None
    train_size: int | None = None
    steps: int | None = None
    identity: Mapping[str, str] = field(default_factory=dict)


def resolve(trial: Trial) -> Config:
    """The config of a run, with all that the trial changes.

    Raises:
        ConfigError: a patch or an option does not fit the config, or it has no limit of steps.
        FileNotFoundError: no such config or data root.
    """
    cfg = config_tools.load_config(trial.config)
    with naming_unknown_types(cfg):
        for _ in config_tools.walk(cfg._cfg_dict):
            pass  # the classes that a config imports are looked up when they are first seen
    for patch in trial.patches:
        config_tools.apply_patch(cfg, patch)
    for key in config_tools.parse_options(trial.options):
        _require_parent(cfg, key, trial.arm)
    config_tools.apply_options(cfg, trial.options)
    if trial.data_root is not None:
        config_tools.set_data_root(cfg, trial.data_root)
    config_tools.anchor_data_roots(cfg)
    if trial.train_size is not None:
        cfg.train_dataloader.dataset.first = trial.train_size
    cfg.ablation = {**DEFAULTS, **cfg.get('ablation', {})}
    set_steps(cfg, trial.steps)
    cfg.randomness = {'seed': trial.seed}
    cfg.work_dir = trial.work_dir
    # MMEngine keeps loggers by this name for the life of the process.
    cfg.experiment_name = f'{trial.arm}_{uuid.uuid4().hex}'
    return cfg


def _require_parent(cfg: Config, key: str, arm: str) -> None:
    """See that what an option changes is there: a key of an absent half would make another model than the arm's name says."""
    *parents, _ = key.split('.')
    node: Any = cfg._cfg_dict
    for depth, name in enumerate(parents, 1):
        if isinstance(node, list | tuple) and name.isdigit() and int(name) < len(node):
            node = node[int(name)]
        elif isinstance(node, Mapping) and isinstance(node.get(name), Mapping | list | tuple):
            node = node[name]
        else:
            raise ConfigError(f'arm {arm} has no {".".join(parents[:depth])} (from {key}): choose the arms that have it')


def set_steps(cfg: Config, steps: int | None) -> None:
    """Set the budget of steps, times the arm's ``budget_factor``, and stretch the schedules, which count steps, with it.

    Adds ``budget``, the steps of an arm with factor 1.

    Raises:
        ConfigError: the config does not say how many steps, or has a schedule that counts epochs.
    """
    written = cfg.train_cfg.get('max_iters')
    if written is None:
        raise ConfigError(f'{cfg.filename}: an arm needs train_cfg.max_iters, or arms would train for different times')
    cfg.budget = steps or written
    cfg.train_cfg.max_iters = round(cfg.budget * cfg.ablation.budget_factor)
    for schedule in cfg.get('param_scheduler') or []:
        if schedule.get('by_epoch', True):
            raise ConfigError(f'{cfg.filename}: the schedules of an arm count steps: set by_epoch=False')
        for key in ('begin', 'end'):
            if key in schedule:
                schedule[key] = round(schedule[key] * cfg.train_cfg.max_iters / written)
        if 'end' in schedule:
            schedule['end'] = max(schedule['end'], schedule.get('begin', 0) + 1)


def identify(cfg: Config) -> dict[str, str]:
    """Hashes of config and data; a record with the same ones need not be made again.

    Raises:
        DataError: the data are not there.
    """
    parts = []
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        dataset = loader['dataset']
        parts.append(hash_data(Path(dataset['data_root']), dataset['splits']))
    return {'config_hash': hash_config(cfg._cfg_dict), 'data_hash': '-'.join(parts)}


def run_trial(trial: Trial) -> dict[str, Any]:
    """Train and evaluate; leave the student's weights in the run's folder, add the record to its file and return it.

    Raises:
        ConfigError: config or data are not those that the trial was planned with.
    """
    began, cpu_began = time.time(), time.process_time()
    cfg = resolve(trial)
    identity = identify(cfg)
    if any(trial.identity.get(name, value) != value for name, value in identity.items()):
        raise ConfigError(f'{trial.config}: config or data were changed after the command had begun')
    settings, budget = cfg.ablation, cfg.budget
    val, evaluator = cfg.val_dataloader, cfg.val_evaluator
    for key in ('val_dataloader', 'val_cfg', 'val_evaluator', 'test_dataloader', 'test_cfg', 'test_evaluator'):
        cfg[key] = None  # the trial evaluates by itself, at steps instead of epochs
    with naming_unknown_types(cfg):
        runner: Any = RUNNERS.build(cfg)
        val_loader = runner.build_dataloader(val, seed=trial.seed)
        metric = METRICS.build(evaluator)
        metric.pretrain_excludes = stated_excludes(cfg)
        part = first_items(val_loader, settings.curve_expressions)
        hook = TrialHook(lambda model: evaluate(model, part, metric)[0], settings.curve_points)
        runner.register_hook(hook)
        runner.train()
    student = student_of(runner.model)
    metrics, _ = evaluate(student, val_loader, metric)
    checkpoint = Path(trial.work_dir) / CHECKPOINT
    meta = {'arm': trial.arm, 'seed': trial.seed, **identity}
    write_checkpoint({'meta': meta, 'state_dict': student.state_dict()}, checkpoint)
    record = {
        'arm': trial.arm, 'seed': trial.seed, 'train_size': trial.train_size, 'config': Path(trial.config).name,
        'patches': [Path(patch).stem for patch in trial.patches], **identity,
        'options': list(trial.options), 'budget': budget, 'steps': runner.iter, 'commit': trial.identity.get('commit'),
        'seconds': round(time.time() - began, 1), 'cpu_seconds': round(time.process_time() - cpu_began, 1), **hook.record(),
        'weights_hash': hash_state(student.state_dict()),
        'checkpoint_hash': hash_bytes(checkpoint.read_bytes()), 'val': metrics,
        'pretrain_kept_out': excluded_from_pretraining(stated_excludes(cfg), val_loader.dataset.metainfo['dataset_name']),
    }
    append_record(Path(trial.out), record)
    return record
