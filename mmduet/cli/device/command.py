"""``mmduet benchmark`` with ``--device``, ``--on-paper`` or ``--list-wheels``."""
import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from mmduet.cli.device.arguments import BATCH_SIZES, NUMBERS
from mmduet.cli.device.paper import calculate, format_paper
from mmduet.cli.device.sweep import format_sweep, sweep
from mmduet.cli.device.wheels import carried
from mmduet.engine.config_tools import ConfigError
from mmduet.engine.device_setup import set_tf32
from mmduet.io.files import write_atomically


def run(args: argparse.Namespace) -> int:
    """Measure or count, print and write; 1 where a measurement failed, other than by its need of memory."""
    from mmduet.cli.benchmark import build_model
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise ConfigError('--device cuda: PyTorch sees no CUDA device here')
    if args.device == 'cuda':
        torch.backends.cudnn.benchmark = True  # as in training
        args.amp = args.amp or 'auto'
    args.numbers = args.expressions_per_image = list(dict.fromkeys(args.expressions_per_image or NUMBERS))
    args.batch_sizes = list(dict.fromkeys(args.batch_sizes or BATCH_SIZES))
    with tempfile.TemporaryDirectory() as folder:
        cfg, model = build_model(args, Path(folder))
        tf32 = set_tf32((cfg.get('env_cfg') or {}).get('tf32'))
        if args.list_wheels:
            print('\n'.join(carried()))
            return 0
        report: dict[str, Any] = calculate(model, cfg, args) if args.on_paper else \
            {'tf32': tf32, **sweep(model, cfg, args)}
    print(format_paper(report) if args.on_paper else format_sweep(report))
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(args.json, json.dumps(report, indent=1) + '\n')
    measured = [*report.get('rows', []), *(found for found in report.get('checks', {}).values() if isinstance(found, dict))]
    return int(any(str(each.get('skipped', '')).startswith('failed') for each in measured))
