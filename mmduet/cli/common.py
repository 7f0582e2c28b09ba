"""What commands share: flags, and the config that flags make of a config. Imports nothing heavy before it must."""
from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmduet.cli import useless_flags

if TYPE_CHECKING:
    from mmengine.config import Config

    from mmduet.apis.hub import HubOptions

PICTURES = 24
# Of mixed precision, as --amp takes them.
AMP = ('auto', 'bf16', 'fp16')


def positive(text: str) -> int:
    """Read a whole number of at least 1 from the command line."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {value}')
    return value


def not_negative(text: str) -> int:
    """Read a whole number of at least 0 from the command line."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f'must not be negative, got {value}')
    return value


def positive_number(text: str) -> float:
    """Read a finite number above 0 from the command line."""
    value = float(text)
    if not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f'must be above 0, got {text}')
    return value


def names(text: str) -> list[str]:
    """Read names joined by commas from the command line."""
    found = text.split(',')
    if not all(found):
        raise argparse.ArgumentTypeError(f'must be names joined by commas, got {text!r}')
    return found


def add_hub_flags(parser: argparse.ArgumentParser) -> None:
    """How a model is taken from the Hugging Face hub; a token is no flag, which everybody on the machine could read."""
    parser.add_argument('--revision', metavar='NAME', help='branch, tag or commit of a model on the hub (default: main)')
    parser.add_argument('--cache-dir', metavar='FOLDER', help="where models of the hub are kept (default: the hub's own cache)")
    parser.add_argument('--offline', action='store_true', help='fetch nothing: models of the hub come out of the cache')


def hub_options(args: argparse.Namespace) -> HubOptions:
    """What the flags of ``add_hub_flags`` say."""
    return {'revision': args.revision, 'cache_dir': args.cache_dir, 'local_files_only': args.offline}


def split_name(text: str) -> str:
    """Read the name of one split from the command line."""
    if not text or set(text) & set('+,'):
        raise argparse.ArgumentTypeError(f'splits are given with spaces between them, as val testA, got {text!r}')
    return text


def add_splits_flag(parser: argparse.ArgumentParser, description: str, flag: str = '--splits',
                    default: Sequence[str] = ()) -> None:
    """The one way in which commands are told splits: names with spaces between them, which add up where a flag is repeated."""
    parser.add_argument(flag, nargs='+', type=split_name, action=_AddUp, default=list(default), metavar='SPLIT',
                        help=description)


class _AddUp(argparse.Action):
    """As ``extend``, but what is given first replaces the default."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any,
                 option_string: str | None = None) -> None:
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [*(() if before is self.default else before), *values])


def add_change_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that change a config, of every command that takes one; ``change_config`` reads them."""
    parser.add_argument('--patch', nargs='+', action='extend', default=[], metavar='PATCH',
                        help='changes to the config: files with a function change(cfg), or names in configs/duet/ablation')
    parser.add_argument('--cfg-options', nargs='+', action='extend', default=[], metavar='KEY=VALUE',
                        help='changes to the config; may be given several times')


def add_checkpoint_config_flags(parser: argparse.ArgumentParser) -> None:
    """The config of a checkpoint that holds none; ``changed_config`` reads it, ``refuse_lone_changes`` checks the flags."""
    parser.add_argument('--config', help='training config of a checkpoint that holds none')
    add_change_flags(parser)
    add_import_flag(parser)


def add_import_flag(parser: argparse.ArgumentParser) -> None:
    """What defines the student of a model; ``import_own`` imports it."""
    parser.add_argument('--import', nargs='+', action='extend', default=[], dest='imports', metavar='FILE',
                        help='Python files of your own that define the student or parts of it, imported before it is read')


def import_own(args: argparse.Namespace) -> None:
    """Import what ``add_import_flag`` names."""
    if args.imports:
        from mmduet.engine.own_modules import import_own
        import_own(args.imports)


def refuse_lone_changes(args: argparse.Namespace, flag: str = 'config') -> None:
    """Refuse changes to a config where none is named by the flag that may name one."""
    if getattr(args, flag) is None:
        useless_flags.refuse(args, 'patch cfg_options', f'they change a config: name it by --{flag}')


def add_config_flags(parser: argparse.ArgumentParser) -> None:
    """A config, where its data are, and what is changed in it; ``read_config`` reads them."""
    parser.add_argument('config', help='path of a config, or the name of one of mmduet, such as transvg_duet_refcoco')
    parser.add_argument('--data-root', help='data root for every data set of the config')
    add_change_flags(parser)


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """A config, its data, and where its weights come from; ``load_model`` reads them."""
    add_config_flags(parser)
    parser.add_argument('--no-pretrained', action='store_true', help='random weights of the same geometry; fetches nothing')


def add_launcher_flag(parser: argparse.ArgumentParser) -> None:
    """Of commands that run on several processes."""
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm'), default='none', help='who started the processes')


def add_data_flags(parser: argparse.ArgumentParser) -> None:
    """Flags about data and weights that training and testing share; ``load`` reads them."""
    add_model_flags(parser)
    parser.add_argument('--work-dir', help='folder of logs, checkpoints and pictures (default: work_dirs/NAME OF THE CONFIG '
                                           'and of its patches)')
    add_launcher_flag(parser)


def checkpoint_file(text: str) -> str:
    """The file of weights that a word of the command line names: itself, or that in a folder of ``save_pretrained``."""
    weights = Path(text) / 'model.safetensors'
    if Path(text).is_dir() and not weights.is_file():
        raise argparse.ArgumentTypeError(f'the folder {text} holds no {weights.name}: it is none of save_pretrained')
    return str(weights) if Path(text).is_dir() else text


def file_ending(*suffixes: str) -> Callable[[str], Path]:
    """A type of the command line: the path of a file that ends in one of these."""
    def read(text: str) -> Path:
        if Path(text).suffix not in suffixes:
            raise argparse.ArgumentTypeError(f'{text} must end in {" or ".join(suffixes)}')
        return Path(text)
    return read


def _lines_file(text: str) -> str:
    folder = Path(text).absolute().parent
    if folder.name == 'annotations' and (folder.parent / 'manifest.json').exists():
        raise argparse.ArgumentTypeError(f'{text} would lie among the annotations of a data root: name another folder')
    if Path(text).suffix.lower() == '.json':
        raise argparse.ArgumentTypeError(f'{text} will hold a line of JSON for each expression: name it .jsonl')
    return text


def add_device_flag(parser: argparse.ArgumentParser) -> None:
    """Where a model predicts."""
    parser.add_argument('--device', default='auto',
                        help='auto for the best that is there, or cpu, cuda, cuda:1, mps (default: %(default)s)')


def add_test_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of testing alone."""
    parser.add_argument('checkpoint', type=checkpoint_file,
                        help='a .pth or .safetensors file, or a folder of save_pretrained; a distilled one gives its student')
    add_splits_flag(parser, 'splits to test on (default: those of the config)')
    parser.add_argument('--out', type=_lines_file, metavar='FILE.jsonl',
                        help='write the predictions there, one JSON line per expression')
    parser.add_argument('--show-dir', help='draw predictions there')
    parser.set_defaults(writes=lambda args: [args.out, args.show_dir and Path(args.show_dir) / 'test.png'])


def change_config(config: str | Path, args: argparse.Namespace) -> Config:
    """Read a config and make the changes of ``add_change_flags``."""
    from mmduet.engine.config_changes import read_changed
    return read_changed(config, args.patch, args.cfg_options)


def changed_config(args: argparse.Namespace) -> Config | None:
    """The config of ``add_checkpoint_config_flags`` with its changes; None where there is none."""
    return None if args.config is None else model_config(args.config, args)


def model_config(config: str | Path, args: argparse.Namespace) -> Config:
    """A config whose model alone is wanted, with the changes of ``add_change_flags``; checked only where there are some.

    What a training of before named, and nobody reads today or is not here, is in the way of no model.
    """
    from mmduet.engine.config_tools import load_config
    return change_config(config, args) if args.patch or args.cfg_options else load_config(config)


def read_config(args: argparse.Namespace) -> Config:
    """Read the config and make the changes of ``add_config_flags``."""
    from mmduet.engine import config_tools
    cfg = change_config(args.config, args)
    if args.data_root is not None:
        config_tools.set_data_root(cfg, args.data_root)
    config_tools.anchor_data_roots(cfg)
    return cfg


def load_model(args: argparse.Namespace) -> Config:
    """Read the config and make the changes of ``add_model_flags``."""
    from mmduet.engine import config_tools
    cfg = read_config(args)
    if args.no_pretrained:
        config_tools.drop_pretrained(cfg)
    return cfg


def load(args: argparse.Namespace) -> Config:
    """Read the config and make the changes of ``add_data_flags``."""
    cfg = load_model(args)
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / '-'.join(Path(name).stem for name in (args.config, *args.patch)))
    cfg.launcher = args.launcher
    return cfg


def load_for_test(args: argparse.Namespace) -> Config:
    """The config of a test: the student alone, no training."""
    from mmduet.engine import config_tools
    from mmduet.engine.pretraining import KEY, stated_excludes
    cfg = load(args)
    if args.splits:
        config_tools.set_splits(cfg, 'test_dataloader', args.splits)
    cfg[KEY] = stated_excludes(cfg)  # while the teacher, whose images count too, is still there
    # A distilled model predicts by its student, so that neither teacher nor head is built, fetched or held in memory.
    if 'student' in cfg.model and 'teacher' in cfg.model:
        cfg.model = cfg.model.student
    for key in ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr', 'val_dataloader',
                'val_cfg', 'val_evaluator'):
        cfg[key] = None
    cfg.load_from, cfg.resume = args.checkpoint, False
    if args.out is not None:
        grounding_evaluator(cfg)['out_file'] = str(Path(args.out).resolve())
    if args.show_dir is not None:
        # By name, as in all changes to a config that was read.
        cfg.default_hooks.visualization = {'type': 'mmduet.GroundingVisualizationHook', 'max_samples': PICTURES,
                                           'out_dir': str(Path(args.show_dir).resolve())}
    return cfg


def grounding_evaluator(cfg: Config) -> Any:
    """The config of the first ``GroundingMetric`` of a test, which rates and writes answers; a ``ConfigError`` for none."""
    from mmduet.engine.config_tools import ConfigError
    from mmduet.evaluation import GroundingMetric
    from mmduet.registry import METRICS
    given = cfg.get('test_evaluator')
    for evaluator in given if isinstance(given, list | tuple) else [given]:
        kind = evaluator.get('type') if isinstance(evaluator, dict) else None
        kind = METRICS.get(kind) if isinstance(kind, str) else kind
        if isinstance(kind, type) and issubclass(kind, GroundingMetric):
            return evaluator
    raise ConfigError('answers are rated and written, as by --out, by mmduet.GroundingMetric, and test_evaluator has none: add '
                      'it beside your metric, in a list')


@contextlib.contextmanager
def building(cfg: Config) -> Iterator[None]:
    """While parts are built from a config, take what they refuse for the user's mistake: the sentence is shown alone."""
    from mmduet.engine.config_tools import ConfigError
    from mmduet.engine.host_options import refuse_model_wrapper
    from mmduet.engine.type_check import naming_unknown_types
    refuse_model_wrapper(cfg)
    try:
        with naming_unknown_types(cfg):
            yield
    except (ValueError, RuntimeError) as error:
        raise ConfigError(str(error)) from error


def build_runner(cfg: Config) -> Any:
    """Build the runner that the config names, and its model; what it writes to must be installed."""
    from mmduet.cli.trackers import require_trackers
    from mmduet.engine import GroundingRunner
    from mmduet.registry import RUNNERS
    require_trackers(cfg)
    with building(cfg):
        return RUNNERS.build(cfg) if 'runner_type' in cfg else GroundingRunner.from_cfg(cfg)
