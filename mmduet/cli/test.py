"""Test a checkpoint and print all metrics.

    mmduet test transvg_duet_refcoco work_dirs/transvg_duet_refcoco/best_acc@0.5_epoch_80.pth
    mmduet test CONFIG CHECKPOINT --splits val testA testB --out predictions.jsonl --show-dir pictures

A distilled checkpoint is tested as what it is at prediction, its student; the config may be the distilled or the plain one.
"""
import argparse
from functools import partial
from typing import TYPE_CHECKING

from mmduet.cli import common, running
from mmduet.cli.common import AMP

if TYPE_CHECKING:
    from mmengine.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    common.add_data_flags(parser)
    common.add_test_flags(parser)
    parser.add_argument('--amp', choices=AMP, help='mixed precision; auto takes what fits the machine, fp16 needs a GPU')


def set_precision(cfg: 'Config', name: str) -> None:
    """Let the test run under autocast, in the precision of this name; a ``ConfigError`` where the config has its own loop."""
    from mmduet.engine.config_tools import ConfigError
    loop = (cfg.get('test_cfg') or {}).get('type', 'TestLoop')
    if (loop if isinstance(loop, str) else loop.__name__).rpartition('.')[2] != 'TestLoop':
        raise ConfigError(f'--amp is for the loop TestLoop, and test_cfg of this config names {loop}')
    cfg.test_cfg = {'type': 'mmduet.MixedPrecisionTestLoop', 'dtype': name}


def run(args: argparse.Namespace) -> int:
    """Test."""
    from mmduet.datasets.readers import CATALOG
    from mmduet.engine.checkpoint import read_checkpoint
    from mmduet.engine.config_tools import splits_of
    from mmduet.engine.pretraining import describe_pretraining
    from mmduet.engine.type_check import naming_unknown_types
    from mmduet.evaluation.table import format_table
    from mmduet.models.score_heads import with_score_head
    trained, cfg, checkpoint = common.load(args), common.load_for_test(args), read_checkpoint(args.checkpoint)
    if args.amp is not None:
        set_precision(cfg, args.amp)
    cfg.model = with_score_head(cfg.model, checkpoint['state_dict'])
    splits = splits_of(cfg.test_dataloader)
    runner = common.build_runner(cfg)
    with naming_unknown_types(cfg):
        metrics = runner.test()
    if runner.rank == 0:
        print(f'\n{args.checkpoint}, {len(runner.test_dataloader.dataset)} expressions')
        print(format_table(metrics, '+'.join(splits) or 'test'))
        name = getattr(runner.test_dataloader.dataset, 'metainfo', {}).get('dataset_name', 'the test data')
        print(describe_pretraining(checkpoint['meta'], trained, name))
        spec = CATALOG.get(name.partition(' ')[0])
        if spec is not None and spec.warning:
            print(f'warning: {spec.warning}')
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
