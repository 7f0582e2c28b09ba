"""A run: one training of a config with an experiment's patches and a seed, its evaluation and its record."""
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
from projects.ablation.anchors import chosen_by_anchors, mean_anchor_cosine
from projects.ablation.evaluation import DIGITS, evaluate, first_items
from projects.ablation.fingerprint import hash_bytes, hash_config, hash_data, hash_state
from projects.ablation.records import append_record
from projects.ablation.run_hook import RunHook, student_of

CHECKPOINT = 'last.pth'
# Of val, by which the anchors are compared, and whose boxes they choose among.
ANCHORS, CHOICES = 500, 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The arguments of one training process.

    Attributes:
        experiment: name of the experiment, with the value that a sweep gives it.
        config: path of the config that all experiments change.
        patches: of the setting and of the experiment, in the order in which they change the config.
        seed: of weights, order and augmentation.
        work_dir: folder of this run's log and checkpoint.
        out: file that the record is added to.
        options: changes to the config, ``key=value``.
        data_root: for every data set of the config; None for the config's.
        train_size: how many of the training expressions; None for the config's.
        steps: budget of every experiment; None for the config's.
        identity: fields of the record that are known before: ``config_hash``, ``data_hash`` and the commit.
    """

    experiment: str
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


def resolve(run: Run) -> Config:
    """The config of a run, with all its changes.

    Raises:
        ConfigError: a patch or an option does not fit the config, or it has no limit of steps.
        FileNotFoundError: no such config or data root.
    """
    cfg = config_tools.load_config(run.config)
    with naming_unknown_types(cfg):
        for _ in config_tools.walk(cfg._cfg_dict):
            pass  # the classes that a config imports are looked up at the first access
    cfg.ablation = {'budget_factor': 1.0}  # a patch may change it
    for patch in run.patches:
        config_tools.apply_patch(cfg, patch)
    for key in config_tools.parse_options(run.options):
        _require_parent(cfg, key, run.experiment)
    config_tools.apply_options(cfg, run.options)
    if run.data_root is not None:
        config_tools.set_data_root(cfg, run.data_root)
    config_tools.anchor_data_roots(cfg)
    if run.train_size is not None:
        cfg.train_dataloader.dataset.first = run.train_size
    set_steps(cfg, run.steps)
    cfg.randomness = {'seed': run.seed}
    cfg.work_dir = run.work_dir
    # MMEngine keeps loggers by this name for the life of the process.
    cfg.experiment_name = f'{run.experiment}_{uuid.uuid4().hex}'
    return cfg


def _require_parent(cfg: Config, key: str, experiment: str) -> None:
    """Refuse an option whose parent is absent: it would make another model than the experiment's name says."""
    *parents, _ = key.split('.')
    node: Any = cfg._cfg_dict
    for depth, name in enumerate(parents, 1):
        if isinstance(node, list | tuple) and name.isdigit() and int(name) < len(node):
            node = node[int(name)]
        elif isinstance(node, Mapping) and isinstance(node.get(name), Mapping | list | tuple):
            node = node[name]
        else:
            raise ConfigError(f'experiment {experiment} has no {".".join(parents[:depth])} (from {key}): '
                              'choose the experiments that have it')


def set_steps(cfg: Config, steps: int | None) -> None:
    """Set the budget of steps, times the experiment's ``budget_factor``, and stretch the schedules, which count steps, with it.

    Adds ``budget``, the steps of an experiment with factor 1.

    Raises:
        ConfigError: the config does not say how many steps, or has a schedule that counts epochs.
    """
    written = cfg.train_cfg.get('max_iters')
    if written is None:
        raise ConfigError(f'{cfg.filename}: an experiment needs train_cfg.max_iters, or budgets would differ')
    cfg.budget = steps or written
    cfg.train_cfg.max_iters = round(cfg.budget * cfg.ablation.budget_factor)
    for schedule in cfg.get('param_scheduler') or []:
        if schedule.get('by_epoch', True):
            raise ConfigError(f'{cfg.filename}: the schedules of an experiment count steps: set by_epoch=False')
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


def train_run(run: Run) -> dict[str, Any]:
    """Train and evaluate; leave the student's weights in the run's folder, add the record to its file and return it.

    Raises:
        ConfigError: config or data are not those that the run was planned with.
    """
    began, cpu_began = time.time(), time.process_time()
    cfg = resolve(run)
    identity = identify(cfg)
    if any(run.identity.get(name, value) != value for name, value in identity.items()):
        raise ConfigError(f'{run.config}: config or data were changed after the command had begun')
    budget, val, evaluator = cfg.budget, cfg.val_dataloader, cfg.val_evaluator
    for key in ('val_dataloader', 'val_cfg', 'val_evaluator', 'test_dataloader', 'test_cfg', 'test_evaluator'):
        cfg[key] = None  # evaluated here, at steps instead of epochs
    with naming_unknown_types(cfg):
        runner: Any = RUNNERS.build(cfg)
        val_loader = runner.build_dataloader(val, seed=run.seed)
        # As in training, with the other annotated boxes.
        with_boxes = runner.build_dataloader({**val, 'dataset': {**val['dataset'], 'test_mode': False}}, seed=run.seed)
        metric = METRICS.build(evaluator)
        metric.pretrain_excludes = stated_excludes(cfg)
        hook = RunHook()
        runner.register_hook(hook)
        runner.train()
    student = student_of(runner.model)
    metrics, _ = evaluate(student, val_loader, metric)
    chosen = chosen_by_anchors(runner.model, first_items(with_boxes, CHOICES))
    if chosen is not None:
        metrics['chosen'] = round(chosen, DIGITS)
    checkpoint = Path(run.work_dir) / CHECKPOINT
    meta = {'experiment': run.experiment, 'seed': run.seed, **identity}
    write_checkpoint({'meta': meta, 'state_dict': student.state_dict()}, checkpoint)
    record = {
        'arm': run.experiment, 'seed': run.seed, 'train_size': run.train_size, 'config': Path(run.config).name,
        'patches': [Path(patch).stem for patch in run.patches], **identity,
        'options': list(run.options), 'expressions_per_image': cfg.train_dataloader.sampler.get('expressions_per_image', 1),
        'budget': budget, 'steps': runner.iter, 'commit': run.identity.get('commit'),
        'seconds': round(time.time() - began, 1), 'cpu_seconds': round(time.process_time() - cpu_began, 1), **hook.record(),
        'weights_hash': hash_state(student.state_dict()),
        'anchor_cosine': mean_anchor_cosine(runner.model, first_items(val_loader, ANCHORS)),
        'checkpoint_hash': hash_bytes(checkpoint.read_bytes()), 'val': metrics,
        'pretrain_kept_out': excluded_from_pretraining(stated_excludes(cfg), val_loader.dataset.metainfo['dataset_name']),
    }
    append_record(Path(run.out), record)
    return record
