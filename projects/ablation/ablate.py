#!/usr/bin/env python
"""Train a config and patches of it with the same seeds, and compare them paired by seed.

    python projects/ablation/ablate.py configs/duet/qrnet_duet_refshapes.py --patches plain,full,semantic --seeds 5
    python projects/ablation/ablate.py CONFIG --patches full,semantic,ranked --seeds 8 --jobs 2
    python projects/ablation/ablate.py CONFIG --patches plain,full --train-sizes 1000,2000,8000,32000
    python projects/ablation/ablate.py CONFIG --patches full --sweep model.head.terms.contrast.weight=0.1,0.25,1
    python projects/ablation/ablate.py CONFIG --patches plain,full --test     # last: the kept students on the test splits
    python projects/ablation/ablate.py --table --against plain,semantic       # of the records alone

A run is one training. An experiment is the set of runs of one patch over the seeds; full is the config as it is. --setting
holds what the experiments share. In all runs of a seed the student starts with the same weights and sees the same expressions
in the same order; runs for which that does not hold are not tabulated. Each run is a process of one thread and adds one JSON
line when it is done, so that the command can be interrupted and repeated: what is there is not run again. Only val is
evaluated, until --test.
"""
import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from mmduet.cli import common, running
from mmduet.io.text import counted

if TYPE_CHECKING:
    from projects.ablation.plan import Plan
    from projects.ablation.run import Run

PLAIN = 'plain'
SEEDS = [0, 1, 2, 3, 4]
CONFIG = 'configs/duet/transvg_duet_refshapes.py'
SETTING = Path(__file__).parent / 'settings/refshapes.py'
RECORDS = Path('projects/ablation/results/refshapes.jsonl')


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', default=CONFIG, help='the config that the patches change (default: %(default)s)')
    parser.add_argument('--patches', type=common.names, metavar='A,B',
                        help='the experiments: full, names in configs/duet/ablation or here in patches, or files '
                             '(default: full and all of configs/duet/ablation)')
    parser.add_argument('--setting', default=str(SETTING),
                        help='patch before those of the experiments (default: the setting of docs/studies.md)')
    parser.add_argument('--seeds', type=_seeds, metavar='N|A-B|A,B',
                        help='how many, from 0, or which (default: 5; with --table, all that are recorded)')
    parser.add_argument('--out', type=Path, default=RECORDS,
                        help='records of the runs (default: %(default)s)')
    parser.add_argument('--work-dir', type=Path, help='checkpoints and logs (default: work_dirs/ablation/NAME OF --out)')
    parser.add_argument('--jobs', type=common.positive, default=1, metavar='N', help='runs side by side (default: 1)')
    parser.add_argument('--steps', type=common.positive, metavar='N', help="budget of every run, instead of the configs'")
    parser.add_argument('--train-sizes', type=_sizes, default=[None], metavar='N,M',
                        help='train each experiment on the first so many expressions')
    parser.add_argument('--sweep', action='append', default=[], metavar='KEY=A,B',
                        help='train each experiment with each value of a config key; may be given several times')
    parser.add_argument('--data-root', help='data root for every data set')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='changes to all configs')
    parser.add_argument('--against', type=common.names, default=[PLAIN], metavar='A,B',
                        help='experiments that the others are compared with (default: plain)')
    parser.add_argument('--figure', type=Path, help='SVG of the differences (default: beside --out)')
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument('--table', action='store_true', help='train nothing: print the table of the records and draw it')
    mode.add_argument('--test', action='store_true', help='train nothing: score the kept students on the test splits')
    parser.add_argument('--test-splits', type=common.names, metavar='A,B',
                        help='default: testA and testB, alone and together, and heldout, those that exist')
    return parser.parse_args(arguments)


def _sizes(text: str) -> list[int]:
    return [common.positive(part) for part in text.split(',')]


def _seeds(text: str) -> list[int]:
    try:
        if '-' in text:
            first, last = map(int, text.split('-'))
            seeds = list(range(first, last + 1))
        elif ',' in text:
            seeds = [int(part) for part in text.split(',')]
        else:
            seeds = list(range(int(text)))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'must be a number, a range as 5-9 or a list as 0,3, got {text!r}') from error
    if not seeds or len(set(seeds)) != len(seeds):
        raise argparse.ArgumentTypeError(f'must name at least one seed, and none twice, got {text!r}')
    return seeds


def main() -> None:
    """Train, test or tabulate."""
    args = parse_args()
    for name in running.THREAD_VARIABLES:
        os.environ[name] = '1'
    # A killed command ends its runs too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    jobs = {'table': tabulate_records, 'test': test_runs, 'train': train_runs}
    running.run(lambda: jobs['table' if args.table else 'test' if args.test else 'train'](args))


def make_plan(args: argparse.Namespace) -> 'Plan':
    """The runs that the flags ask for, and the records that are there."""
    from projects.ablation import plan
    from projects.ablation.records import read_records
    from projects.ablation.run import Run
    work_dir = args.work_dir or Path('work_dirs/ablation') / args.out.stem
    data_root = str(Path(args.data_root).resolve()) if args.data_root else None
    base = Run(experiment='', config=args.config, patches=(args.setting, ), seed=0, work_dir=str(work_dir.resolve()),
                 out=str(args.out.resolve()), options=tuple(args.cfg_options), data_root=data_root, steps=args.steps,
                 identity={'commit': plan.describe_commit()})
    runs = plan.plan_runs(plan.find_experiments(args.patches), args.seeds or SEEDS, args.train_sizes, args.sweep, base)
    records, notes = read_records(args.out)
    made = plan.make_plan(runs, records)
    print('\n'.join([*notes, *made.stale, f'{counted(len(runs), "run")}: {len(made.done)} done, in {args.out}']))
    return made


def train_runs(args: argparse.Namespace) -> None:
    """Train what is missing, then tabulate."""
    from projects.ablation.run import train_run
    made = make_plan(args)
    failed = run_all(train_run, made.missing, made.missing, args.jobs, args.out)
    tabulate(args, made, args.out, ['val'])
    if failed:
        sys.exit(f'error: {counted(failed, "run")} failed; the same command tries again')


def test_runs(args: argparse.Namespace) -> None:
    """Score every kept student on the test splits, once, then tabulate."""
    from projects.ablation.plan import key_of
    from projects.ablation.records import RunError, latest, read_records, record_key
    from projects.ablation.scoring import ScoringJob, choose_splits, score_run
    made = make_plan(args)
    if made.missing:
        raise RunError(f'{counted(len(made.missing), "run")} without a record yet, such as {made.missing[0].experiment} seed '
                       f'{made.missing[0].seed}: train them first, without --test')
    splits, together = choose_splits(made.runs[0], args.test_splits)
    out = args.out.with_suffix('.test.jsonl')
    there = {record_key(record): record for record in latest(read_records(out)[0])}
    runs = []
    for run in made.runs:
        old, new = there.get(key_of(run)), made.done[key_of(run)]
        if old is None or old['checkpoint_hash'] != new['checkpoint_hash'] or set(splits) - set(old['test']):
            runs.append(run)
    tasks = [ScoringJob(run=run, record=made.done[key_of(run)], splits=splits, together=together, out=str(out.resolve()))
             for run in runs]
    failed = run_all(score_run, tasks, runs, args.jobs, out)
    tabulate(args, made, out, [*splits, *(['+'.join(together)] if together else [])])
    if failed:
        sys.exit(f'error: {counted(failed, "run")} failed; the same command tries again')


def run_all(function: Any, arguments: Sequence[Any], runs: Sequence['Run'], side_by_side: int, out: Path) -> int:
    """Run jobs side by side and print how each ended; return how many failed."""
    from projects.ablation.launcher import log_end, run_jobs, time_left
    from projects.ablation.plan import key_of
    from projects.ablation.records import latest, read_records, record_key
    began, failed, logs = time.time(), 0, 'test' if function.__name__ == 'score_run' else 'train'
    jobs = [(argument, Path(run.work_dir) / f'{logs}.log') for argument, run in zip(arguments, runs, strict=True)]
    for ended, finished in enumerate(run_jobs(function, jobs, side_by_side), 1):
        run = runs[finished.index]
        record = next((r for r in latest(read_records(out)[0]) if record_key(r) == key_of(run)), None)
        name = f'{run.experiment} seed {run.seed}' + (f', {run.train_size} expressions' if run.train_size else '')
        if finished.failed or record is None:
            failed += 1
            print(f'{name}: failed, see {finished.log}\n{log_end(finished.log)}', flush=True)
            continue
        left = time_left(time.time() - began, ended, len(jobs), side_by_side) / 60
        scores = {**record.get('test', {}), **({'val': record['val']} if 'val' in record else {})}
        summary = '; '.join(f'{split} Acc@0.5 {values["acc@0.5"]:.1f}, 0.75 {values["acc@0.75"]:.1f}'
                            for split, values in scores.items())
        print(f'{name}: {summary}; {ended} of {len(jobs)} done, about {left:.0f} min left', flush=True)
    return failed


def tabulate_records(args: argparse.Namespace) -> None:
    """Tables of val and, where they were scored, of the test splits, from the records alone."""
    from projects.ablation.records import RunError, read_records
    if not args.out.exists():
        raise RunError(f'there is no {args.out}: train first')
    tabulate(args, None, args.out, ['val'])
    tested = args.out.with_suffix('.test.jsonl')
    if tested.exists():
        splits = list(dict.fromkeys(split for record in read_records(tested)[0] for split in record['test']))
        tabulate(args, None, tested, splits)


def tabulate(args: argparse.Namespace, made: 'Plan | None', out: Path, splits: Sequence[str]) -> None:
    """Print a table per split and number of expressions, and draw it.

    With a plan, of its runs that fit it; without, of all records, or of the experiments, seeds and steps that were named.
    """
    from mmduet.visualization.charts import to_svg
    from projects.ablation import charts, tables
    from projects.ablation.plan import key_of
    from projects.ablation.records import latest, read_records, record_key
    records = read_records(out)[0]
    if made is not None:
        records = latest(records)
        hashes = {key_of(run): run.identity['config_hash'] for run in made.runs}
        records = [record for record in records if hashes.get(record_key(record)) == record['config_hash']]
        order = [key_of(run) for run in made.runs]
        records.sort(key=lambda record: order.index(record_key(record)))
    else:
        records = [record for record in latest(record for record in records if args.steps in (None, record['budget']))
                   if (not args.patches or record['arm'].partition('[')[0] in args.patches)
                   and (not args.seeds or record['seed'] in args.seeds)]
    for size in sorted({record['train_size'] for record in records}, key=lambda size: size or 0):
        part = [record for record in records if record['train_size'] == size]
        for split in splits:
            rows = tables.compare(part, args.against, split)
            title = f'{split}, {part[0]["budget"]} steps' + (f', {size} expressions' if size else '')
            kinds = tables.format_kinds(part, split)
            print(f'\n{title}; differences paired by seed, with 95 % intervals (seeds)\n')
            print(tables.format_table(rows, args.against))
            print(f'\n{kinds}' if kinds else '')
            print(tables.format_exclusion(part))
            gains = tables.gains_against(rows, args.against[0])
            if gains:
                figure = figure_path(args, out, split, size)
                figure.parent.mkdir(parents=True, exist_ok=True)
                figure.write_text(to_svg(charts.draw_gains(gains, f'Minus {args.against[0]}, {title}')), encoding='utf-8')
                print(f'drawn in {figure}')
    for split in splits:
        lines = tables.label_curves(records, split)
        if lines:
            figure = figure_path(args, out, split, None)
            figure = figure.with_name(f'{figure.stem}_labels.svg')
            drawn = charts.draw_curves(lines, f'{split}, by number of training expressions', 'Acc@0.5, %')
            figure.write_text(to_svg(drawn), encoding='utf-8')
            print(f'drawn in {figure}')


def figure_path(args: argparse.Namespace, out: Path, split: str, size: int | None) -> Path:
    """Beside the records, or where the flag says, with split and number of expressions where they are not the usual ones."""
    stem = args.figure.with_suffix('') if args.figure is not None else args.out.with_suffix('')
    return stem.with_name(stem.name + ('' if split == 'val' else f'_{split}') + (f'_{size}' if size else '') + '.svg')


if __name__ == '__main__':
    main()
