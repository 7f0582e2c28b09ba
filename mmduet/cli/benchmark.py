"""Time a training step by its phases, and a prediction, in seconds and in u.

    mmduet benchmark transvg_duet_refcoco --no-pretrained

u is a forward pass of torchvision's ResNet-50 on 1 x 3 x 640 x 640 in float32 with two threads, measured between the steps of
the same run, so that figures compare across machines and noisy hours. Every figure is a median over the steps; a figure in u is
the median of the ratios to the mean of the u before and after. A distilled config is timed beside its plain student, in turn;
with --teacher-cache, and for a config with a CachedTeacher, also with the teacher's outputs cached before the first step.
--balance times nothing: it prints the losses of the untrained model, student against head, and what each pulls at.
--device measures a card in a quarter of an hour, --on-paper counts what cards could do (docs/performance.md).
--padding times steps and predictions that encode visual tokens of padding beside those that leave them out.
Times are those of one process; what the config says of the device (compile, optimise_for_cpu, fold_frozen_norms, env_cfg.tf32)
holds as in training.
Without --data-root, images of 640 x 480 pixels (for --padding of the sizes that photographs have) and expressions of three or
four words are made up and read from JPEG files.
"""
import argparse
import contextlib
import copy
import itertools
import json
import math
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmduet.cli import benchmark_groups, benchmark_padding, cache_teacher, common, running, useless_flags
from mmduet.cli.benchmark_report import CACHED, ONE_BY_ONE, ONLINE, PLAIN, TOGETHER, format_report, summarise
from mmduet.cli.clock import Clock
from mmduet.cli.device import arguments
from mmduet.cli.made_up_data import PHOTOGRAPHS, WORDS, make_data_root

if TYPE_CHECKING:
    from mmengine.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    common.add_model_flags(parser)
    parser.add_argument('--batch-size', type=int, default=2, help='expressions of a step')
    parser.add_argument('--steps', type=int, default=5, help='timed steps, after one that is not')
    parser.add_argument('--amp', choices=common.AMP, help='mixed precision of the training steps')
    parser.add_argument('--threads', type=int, default=2, help='of PyTorch on a CPU')
    parser.add_argument('--teacher-cache', action='store_true', help='also time the step with the teacher cached')
    parser.add_argument('--expressions', type=int, default=0, metavar='N',
                        help='also time the answers to N expressions about an image, one by one and together')
    parser.add_argument('--expressions-per-image', type=int, nargs='+', action='extend', default=[], metavar='K',
                        help='time training steps whose batches have up to K expressions of an image, for each K in turn')
    parser.add_argument('--padding', action='store_true',
                        help='time steps and predictions with padding encoded and left out, and count the visual tokens')
    parser.add_argument('--predict-only', action='store_true', help='time predictions alone')
    parser.add_argument('--balance', action='store_true', help='losses and gradients at initialisation, instead of times')
    parser.add_argument('--json', '--out', type=Path, help='also write the figures there')
    arguments.add_arguments(parser)
    parser.set_defaults(validate=_validate, writes=lambda args: [args.json])


def _validate(args: argparse.Namespace) -> None:
    if min(args.batch_size, args.steps, args.threads, *args.expressions_per_image) < 1 or args.expressions < 0:
        raise argparse.ArgumentTypeError('--batch-size, --steps, --threads and --expressions-per-image must be at least 1, and '
                                         '--expressions not negative')
    arguments.check(args)
    more = 'teacher_cache expressions'
    if arguments.is_asked(args):
        return
    if args.balance:
        useless_flags.refuse(args, f'{more} expressions_per_image padding predict_only amp', '--balance times nothing')
    elif args.padding:
        useless_flags.refuse(args, f'{more} expressions_per_image predict_only json', '--padding prints its own tables, alone')
    elif args.expressions_per_image:
        useless_flags.refuse(args, f'{more} predict_only json', '--expressions-per-image prints its own table, of steps')
    elif args.predict_only:
        useless_flags.refuse(args, 'teacher_cache amp batch_size', 'they are of training steps, and --predict-only takes none')


def load_batches(dataset: Any, size: int, clock: Clock | None = None) -> Iterator[dict[str, Any]]:
    """Batches of the data set without end, decoded in this process."""
    from mmduet.datasets import grounding_collate
    indices = itertools.cycle(range(len(dataset)))
    while True:
        with clock.phase('data') if clock is not None else contextlib.nullcontext():
            batch = grounding_collate([dataset[next(indices)] for _ in range(size)])
        yield batch


def train_step(model: Any, batch: dict[str, Any], optim: Any, clock: Clock, prefix: str, taught: bool) -> None:
    """One training step, phase by phase, whose names begin with ``prefix``; with teacher and head if it is ``taught``."""
    from mmduet.models.distill import student_of
    student: Any = student_of(model)
    with clock.phase(f'{prefix}step'):
        with optim.optim_context(model):
            with clock.phase(f'{prefix}preprocess'):
                made = model.data_preprocessor(batch, True)['batch']
            with clock.phase(f'{prefix}student forward'):
                features = student.extract(made)
                losses = student.loss(features, made)
            if taught:
                with clock.phase(f'{prefix}teacher'):
                    targets = model.teach(made)
                with clock.phase(f'{prefix}head'):
                    losses = {**losses, **model.head(features, targets, made)}
        with clock.phase(f'{prefix}backward'):
            optim.backward(optim.scale_loss(sum(losses.values())))
        with clock.phase(f'{prefix}optimizer'):
            optim.step()
            optim.zero_grad()


def predict(model: Any, batch: dict[str, Any], clock: Clock, name: str) -> None:
    """Answer one expression."""
    import torch
    with torch.no_grad(), clock.phase(name):
        model.test_step(batch)


def predict_expressions(model: Any, batch: dict[str, Any], count: int, clock: Clock) -> float:
    """Answer expressions about an image one by one, then together; how far apart a box was at most, in canvases."""
    import torch
    samples = [copy.deepcopy(batch['data_samples'][0]) for _ in range(count)]
    for sample, words in zip(samples, itertools.cycle(itertools.product(*WORDS)), strict=False):
        sample.set_metainfo({'text': ' '.join(words)})
    with torch.no_grad():
        with clock.phase(ONE_BY_ONE):
            answers = [model.test_step({**batch, 'data_samples': [sample]})[0] for sample in samples]
        alone = [answer.pred_instances.canvas_boxes for answer in answers]
        with clock.phase(TOGETHER):
            answers = model.test_step({**batch, 'image_index': [0] * count, 'data_samples': samples})
    together = [answer.pred_instances.canvas_boxes for answer in answers]
    return float((torch.cat(alone) - torch.cat(together)).abs().max())


@contextlib.contextmanager
def taught_by(model: Any, teacher: Any) -> Iterator[None]:
    """Let another teacher teach a distilled model for a while; None for its own."""
    own = dict(model.teachers) if teacher is not None else {}
    try:
        for name in own:
            model.teachers[name] = teacher
        yield
    finally:
        for name, given in own.items():
            model.teachers[name] = given


def write_cache(model: Any, cfg: 'Config', args: argparse.Namespace, out: Path) -> Any:
    """Encode all training data with the model's teacher, and return a teacher that answers from what was written."""
    from mmduet.teacher_cache import CachedTeacher
    teacher = cfg.model.teacher
    flags = cache_teacher.parse_args([args.config, '--out', str(out)])
    for dataset, split in cache_teacher.build_datasets(cfg):
        cache_teacher.cache_split(model.teachers['teacher'], teacher, dataset, split, out, flags)
    return CachedTeacher(out, teacher)


def run_rounds(model: Any, cfg: 'Config', args: argparse.Namespace, clock: Clock, cached: Any = None) -> float:
    """Take the timed steps after one that is not; a ``cached`` teacher in turn with the model's own; see the function above."""
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import DATASETS, DefaultScope

    from mmduet.models.distill import student_of
    with DefaultScope.overwrite_default_scope('mmduet'):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
        optim = None if args.predict_only else build_optim_wrapper(model, cfg.optim_wrapper)
    distilled = student_of(model) is not model
    batches, singles = load_batches(dataset, args.batch_size, clock), load_batches(dataset, 1)
    difference = 0.0
    for number in range(args.steps + 1):
        if number == 1:
            clock.forget()
        if optim is not None:
            model.train()
            for way in ((ONLINE, *([CACHED] if cached is not None else []), PLAIN) if distilled else (PLAIN, )):
                clock.measure_u()
                with taught_by(model, cached if way == CACHED else None):
                    train_step(model, next(batches), optim, clock, way, way != PLAIN)
        model.eval()
        clock.measure_u()
        batch = next(singles)
        predict(model, batch, clock, 'prediction')
        if distilled:
            predict(model.student, batch, clock, 'prediction, student alone')
        if args.expressions:
            difference = max(difference, predict_expressions(model, batch, args.expressions, clock))
        clock.measure_u()
    return difference


def prepare(args: argparse.Namespace, folder: Path) -> 'Config':
    """The config with its data and precision."""
    from mmduet.engine import config_tools
    from mmduet.engine.host_options import refuse_wrapper
    made = args.data_root is None
    if made:
        expressions = math.lcm(*args.expressions_per_image)
        args.data_root = str(make_data_root(folder / 'data', expressions, *([PHOTOGRAPHS] if args.padding else [])))
    cfg = common.load_model(args)
    if cfg.get('compile') and (args.padding or args.balance):
        raise config_tools.ConfigError('--padding and --balance measure a model that is not compiled: set compile=False')
    refuse_wrapper('train_dataloader', cfg.train_dataloader.dataset)
    if made:
        config_tools.set_splits(cfg, 'train_dataloader', ['train'])
        for node in config_tools.walk(cfg.train_dataloader):
            node.pop('first', None)  # a recipe on a part of a large set: there are no more than a few images here
    # The data are made up, or the cache is of others: the teacher itself encodes, and is cached anew where nothing wraps it.
    cached = [node for node in config_tools.walk(cfg.model) if 'cache' in node.get('teacher', {})]
    for node in cached:
        node['teacher'] = node['teacher']['teacher']
    args.teacher_cache |= cfg.model in cached
    if (args.teacher_cache or args.balance) and 'teacher' not in cfg.model:
        raise config_tools.ConfigError('--teacher-cache and --balance need a distilled config: this model has no teacher')
    if args.balance:
        cfg.model.head.pop('warmup_steps', None)
    if args.amp is not None:
        cfg.optim_wrapper.update(type='mmduet.MixedPrecisionOptimWrapper', dtype=args.amp)
    return cfg


def build_model(args: argparse.Namespace, folder: Path) -> tuple['Config', Any]:
    """The config, and its model with initial weights, which are those of seed 0."""
    import torch
    from mmengine.logging import MMLogger
    from mmengine.registry import MODELS, DefaultScope
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    cfg = prepare(args, folder)
    with common.building(cfg), DefaultScope.overwrite_default_scope('mmduet'):
        model = MODELS.build(cfg.model)
    MMLogger.get_current_instance().setLevel('WARNING')  # MMEngine would print every parameter
    model.init_weights()
    return cfg, model


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    if arguments.is_asked(args):
        from mmduet.cli.device.command import run as run_on_device
        return run_on_device(args)
    from mmengine.device import get_device
    from mmengine.registry import DATASETS

    from mmduet.engine.device_setup import compile_model, fit_to_device
    from mmduet.io.files import write_atomically
    from mmduet.models.distill import student_of
    from mmduet.models.distill.balance import format_balance, measure_balance
    from mmduet.models.folding import keep_products
    with tempfile.TemporaryDirectory() as folder:
        cfg, model = build_model(args, Path(folder))
        device = get_device()
        said = fit_to_device(cfg, model)
        if args.predict_only:
            keep_products(student_of(model))  # as ``GroundingInferencer`` has it
        model.to(device)
        for sentence in [*said, *compile_model(cfg.get('compile'), model)]:
            print(sentence)
        if args.balance:
            report = measure_balance(model, load_batches(DATASETS.build(cfg.train_dataloader.dataset), args.batch_size),
                                     args.steps)
        elif args.expressions_per_image or args.padding:
            measured = benchmark_padding if args.padding else benchmark_groups
            print(measured.measure(model, cfg, args, Clock(device, args.threads)))
            return 0
        else:
            cached = write_cache(model, cfg, args, Path(folder) / 'cache') if args.teacher_cache else None
            clock = Clock(device, args.threads)
            report = summarise(args, clock, device, run_rounds(model, cfg, args, clock, cached))
    print(format_balance(report) if args.balance else format_report(report))
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(args.json, json.dumps(report, indent=1) + '\n')
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
