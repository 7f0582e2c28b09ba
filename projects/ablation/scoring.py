"""Scores of the kept student of a run on the test splits."""
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.runner import Runner

from mmduet.engine import config_tools
from mmduet.engine.checkpoint import load_strictly, read_checkpoint
from mmduet.engine.pretraining import stated_excludes
from mmduet.registry import METRICS, MODELS
from projects.ablation.evaluation import DIGITS, SHOWN, Predictions, evaluate, find_and_tighten
from projects.ablation.fingerprint import hash_bytes, hash_data
from projects.ablation.records import Record, RunError, append_record, run_name
from projects.ablation.run import CHECKPOINT, Run, resolve

KEPT = ('arm', 'seed', 'train_size', 'config', 'patches', 'config_hash', 'data_hash', 'options', 'budget', 'steps',
        'student_hash', 'order', 'checkpoint_hash', 'step_cpu_ms', 'anchor_cosine', 'commit', 'pretrain_kept_out')


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringJob:
    """The arguments of one testing process.

    Attributes:
        run: the run.
        record: what its training left.
        splits: each is scored by itself.
        together: those of them that are also scored as one set, named ``a+b``.
        out: file that the line is added to.
    """

    run: Run
    record: Record
    splits: tuple[str, ...]
    together: tuple[str, ...]
    out: str


def choose_splits(run: Run, wanted: Sequence[str] | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Splits to score, and those to score as one set: testA and testB.

    Args:
        run: names the data.
        wanted: names of splits; those named test or heldout that the data have, if None.

    Raises:
        RunError: the data have no such split.
    """
    root = Path(resolve(run).test_dataloader['dataset']['data_root'])
    there = sorted(path.stem for path in (root / 'annotations').glob('*.jsonl') if path.stem != 'objects')
    splits = tuple(wanted or [name for name in there if name.startswith(('test', 'held'))])
    if not splits or set(splits) - set(there):
        raise RunError(f'{root} has no test split {", ".join(sorted(set(splits) - set(there)))}, only {", ".join(there)}')
    return splits, ('testA', 'testB') if {'testA', 'testB'} <= set(splits) else ()


def score_run(task: ScoringJob) -> Record:
    """Score the kept student on the splits and add the line.

    Raises:
        RunError: the checkpoint is gone, or is not the one that the record describes.
    """
    path = Path(task.run.work_dir) / CHECKPOINT
    if not path.exists():
        raise RunError(f'{run_name(task.record)}: there is no {path}; run it again without --test')
    if hash_bytes(path.read_bytes()) != task.record['checkpoint_hash']:
        raise RunError(f'{path} is not the checkpoint that the record of {run_name(task.record)} describes: '
                       'another study wrote to the same --work-dir')
    cfg = resolve(task.run)
    model = MODELS.build(cfg.model.get('student', cfg.model))
    load_strictly(model, read_checkpoint(path)['state_dict'], str(path))
    metric = METRICS.build(cfg.test_evaluator)
    metric.pretrain_excludes = stated_excludes(cfg)
    predictions: dict[str, Predictions] = {}
    results: dict[str, Any] = {}
    for split in task.splits:
        config_tools.set_splits(cfg, 'test_dataloader', [split])
        results[split], predictions[split] = evaluate(model, Runner.build_dataloader(cfg.test_dataloader, seed=0), metric)
    if task.together:
        joined = [prediction for split in task.together for prediction in predictions[split]]
        rated = {name: round(value, DIGITS) for name, value in metric.compute_metrics(joined).items() if name in SHOWN}
        results['+'.join(task.together)] = rated | find_and_tighten([prediction['iou'] for prediction in joined])
    root = Path(cfg.test_dataloader['dataset']['data_root'])
    record = {**{name: task.record[name] for name in KEPT if name in task.record},
              'test_data_hash': hash_data(root, task.splits), 'test': results}
    append_record(Path(task.out), record)
    return record
