"""Kill, stop and damage a training again and again, and compare its end with that of one that was left alone.

    mmduet storm tests/tiny_config.py --data-root DATA --kills 200
    mmduet storm tests/tiny_config.py --data-root DATA --kills 200 --ema --workers 2 --accumulate 3
    mmduet storm tests/tiny_config.py --data-root DATA --kills 200 --ranks 2 --faults
    mmduet storm CONFIG --data-root DATA --waiting

Kills hit at random moments and at file operations; some trainings are stopped by SIGTERM. With --faults, file operations fail
as on a full or broken disk, and checkpoints are cut, flipped and copied between two trainings. Ends with 1 where anything was
lost: what is left in --work shows it. What the flags of a storm set comes after --patch and --cfg-options. Ctrl-C ends it with
the figures so far. With --waiting, prints how long a step waits for a checkpoint instead.
"""
import argparse
import json
from functools import partial
from pathlib import Path

from mmduet.cli import common, running, useless_flags
from mmduet.io.locks import LOCK


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('config', help='what to train: a small model, as every kill costs its start')
    common.add_change_flags(parser)
    parser.add_argument('--data-root', required=True, help='small data, so that a training takes seconds')
    parser.add_argument('--kills', type=int, default=200, help='how many (default: %(default)s)')
    parser.add_argument('--work', type=Path, default=Path('work_dirs/storm'), help='folder to work in (default: %(default)s)')
    parser.add_argument('--out', type=Path, help='write the figures there, as JSON')
    parser.add_argument('--seed', type=int, default=0, help='of what happens (default: %(default)s)')
    parser.add_argument('--epochs', type=int, default=3, help='of a training (default: %(default)s)')
    parser.add_argument('--interval', type=int, default=2, help='steps between two checkpoints (default: %(default)s)')
    parser.add_argument('--workers', type=int, default=0, help='of the training data (default: %(default)s)')
    parser.add_argument('--ranks', type=int, default=1, help='processes, on CPUs (default: %(default)s)')
    parser.add_argument('--accumulate', type=int, default=1, help='steps of an update (default: %(default)s)')
    parser.add_argument('--ema', action='store_true', help='keep a moving average of the weights')
    parser.add_argument('--early-stopping', type=int, metavar='N',
                        help='stop after N validations without progress, which none makes')
    parser.add_argument('--faults', action='store_true', help='let file operations fail and damage folders too')
    parser.set_defaults(validate=_validate, writes=lambda args: [args.out, args.work / LOCK])
    parser.add_argument('--waiting', action='store_true', help='measure how long a step waits for a checkpoint, and end')


def _validate(args: argparse.Namespace) -> None:
    if args.waiting:
        useless_flags.refuse(args, 'kills faults seed epochs ranks out',
                             'with --waiting nothing is killed, one process trains as long as it takes, and a line is printed')


def run(args: argparse.Namespace) -> int:
    """Let it storm; 1 where anything was lost."""
    from mmduet.io.files import write_atomically
    from mmduet.io.locks import locked
    from mmduet.storm.storm import Storm
    from mmduet.storm.trial import Training
    from mmduet.storm.waiting import measure_waiting
    training = Training(config=args.config, patches=tuple(args.patch), options=tuple(args.cfg_options),
                        data_root=args.data_root, epochs=args.epochs, interval=args.interval,
                        workers=args.workers, ranks=args.ranks, accumulate=args.accumulate, ema=args.ema,
                        patience=args.early_stopping)
    work = args.work.resolve()
    training.configure(work)  # what is wrong with it is said here, and not by a child in its log
    with locked(work):
        if args.waiting:
            print(measure_waiting(training, work))
            return 0
        storm = Storm(training, work, args.seed, args.faults)
        report = storm.report
        try:
            storm.run(args.kills)
        except KeyboardInterrupt:
            print('interrupted; until then:')
    print(report)
    for sentence in report.losses:
        print(sentence)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(args.out, json.dumps(vars(report), indent=1) + '\n')
    return 1 if report.losses else 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
