"""Encode all training data of a config once with its teacher, and write the outputs to disk.

    mmduet cache-teacher transvg_duet_cached_refcoco
    mmduet cache-teacher transvg_duet_refcoco --out FOLDER --splits train val
    python -m torch.distributed.run --standalone --nproc_per_node 8 -m mmduet cache-teacher CONFIG --launcher pytorch

Stopped, by a full disk or otherwise, the same command goes on where it was. docs/teacher_cache.md says what is cached.
"""
import argparse
import contextlib
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmduet.cli import common, running

if TYPE_CHECKING:
    from mmengine.config import Config

MEGABYTE = 1e6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    common.add_model_flags(parser)
    common.add_launcher_flag(parser)
    parser.add_argument('--out', help="folder of the cache (default: that of the config's CachedTeacher)")
    parser.add_argument('--teacher', metavar='NAME', help='which teacher, where the config names several')
    common.add_splits_flag(parser, 'splits to cache (default: those that the config trains on)')
    parser.add_argument('--distractors', action='store_true', help='also the crops of the other annotated boxes')
    parser.add_argument('--redo', action='store_true', help='replace a cache of these splits that is of something else')
    parser.add_argument('--batch-size', type=int, default=32, help='images that go through the teacher together')
    parser.add_argument('--decoders', type=int, default=1, help='threads that decode images, in each process')
    parser.add_argument('--seed', type=int, default=0, help='of a teacher with random weights')
    parser.set_defaults(validate=_validate)


def _validate(args: argparse.Namespace) -> None:
    if min(args.batch_size, args.decoders) < 1:
        raise argparse.ArgumentTypeError('--batch-size and --decoders must be at least 1')


def find_teacher(cfg: 'Config', out: str | None, name: str | None = None) -> tuple[dict[str, Any], Path]:
    """The config of the teacher to cache, and the folder to write to; ``name`` is that of one of several teachers.

    Raises:
        ConfigError: the config has no teacher, several of which none is named, one though a name is given, or no folder.
    """
    from mmduet.engine.config_tools import ConfigError
    from mmduet.teacher_cache import CachedTeacher
    teacher = cfg.model.get('teacher')
    if teacher is None:
        raise ConfigError('the model of this config has no teacher: take one of configs/duet')
    if 'type' not in teacher:
        if name not in teacher:
            raise ConfigError(f'this config has the teachers {", ".join(teacher)}: name one with --teacher')
        teacher = teacher[name]
    elif name is not None:
        raise ConfigError(f'--teacher {name} would do nothing: this config has one teacher, without a name')
    while 'teacher' in teacher:
        is_cached = teacher['type'] is CachedTeacher or str(teacher['type']).split('.')[-1] == CachedTeacher.__name__
        if is_cached and out is None:
            out = teacher['cache']
        teacher = teacher['teacher']
    if out is None:
        raise ConfigError('name the folder of the cache with --out')
    return teacher, Path(out)


def build_datasets(cfg: 'Config', splits: Sequence[str] = ()) -> Iterator[tuple[Any, str]]:
    """Every split to cache, those that the config trains on for none, with the data set that reads it."""
    from mmengine.registry import DATASETS, DefaultScope

    from mmduet.engine import config_tools
    nodes = [node for node in config_tools.walk(cfg.train_dataloader) if 'data_root' in node and 'splits' in node]
    for node in nodes:
        for name in splits or node['splits']:
            with DefaultScope.overwrite_default_scope('mmduet'):
                yield DATASETS.build({**node, 'splits': [name]}), name


def build_teacher(config: dict[str, Any], cfg: 'Config', seed: int) -> Any:
    """The teacher on its device.

    Raises:
        ConfigError: it cannot encode single crops and texts, or gives targets by a ``forward`` of its own.
    """
    import torch
    from mmengine.device import get_device
    from mmengine.registry import MODELS, DefaultScope

    from mmduet.engine.config_tools import ConfigError
    from mmduet.models.teachers import CLIPTeacher
    torch.manual_seed(seed)
    with common.building(cfg), DefaultScope.overwrite_default_scope('mmduet'):
        teacher = MODELS.build(config)
    if not isinstance(teacher, CLIPTeacher):
        raise ConfigError(f'{type(teacher).__name__} cannot be cached: it is no CLIPTeacher, which embeds crops and texts')
    if type(teacher).forward is not CLIPTeacher.forward:
        raise ConfigError(f'{type(teacher).__name__} cannot be cached: it has a forward of its own, and a cache asks for '
                          'single crops and texts; do it in embed_texts, embed_images or embed_regions')
    return teacher.to(get_device()).eval()


def measure(teacher: Any, mirrored: bool) -> Any:
    """The geometry of a teacher's targets; their feature size is found by a forward pass."""
    import torch

    from mmduet.teacher_cache.plan import Geometry
    blank = torch.zeros(1, 3, *teacher.resize.size, device=next(teacher.parameters()).device)
    try:
        patches = teacher.embed_images(blank, 1)[1]
        feature_size = tuple(patches.shape[2:])
    except NotImplementedError as error:
        print(f'no similarity is cached: {error}', flush=True)
        feature_size = None
    bias = teacher.logit_bias
    return Geometry(embed_dims=teacher.embed_dims, feature_size=feature_size, views=2 if mirrored else 1,
                    logit_scale=teacher.logit_scale.item(), logit_bias=None if bias is None else bias.item())


def hash_weights(teacher: Any) -> str:
    """SHA-256 of the weights as loaded: what tells two teachers with random weights apart."""
    import torch

    from mmduet.io.files import sha256_of
    return sha256_of(piece for name, value in teacher.state_dict().items() for piece in (
        name.encode(), value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()))


def start_section(folder: Path, content: Mapping[str, Any], index: bytes, shards: Sequence[Any], command: str,
                  config: str, redo: bool) -> None:
    """Write the index and a manifest that says the section is not complete, unless they are there.

    Raises:
        CacheError: there is a section of something else; names what differs.
    """
    import shutil

    from mmduet import __version__
    from mmduet.io.files import remove_partial, sha256_of, write_atomically
    from mmduet.teacher_cache import store
    content = {**content, 'index_sha256': sha256_of(index),
               'shards': [{'name': shard.name, 'parts': {name: list(shape) for name, shape in shard.parts.items()},
                           'sha256': None} for shard in shards]}
    remove_partial(folder)
    if (folder / store.MANIFEST).exists() and not redo:
        there = store.read_manifest(folder)
        bare = {**there, 'shards': [{**shard, 'sha256': None} for shard in there['shards']]}
        found = store.differences({key: bare.get(key) for key in content}, content, 'it', 'this run')
        if found:
            names = [text for text in found if not text.startswith(('shards', 'index_sha256'))] or ['the order of its rows']
            raise store.CacheError(f'{folder} is a cache of something else: {"; ".join(names)}. Take --redo to replace '
                                         'it, or another --out')
        return
    if redo:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {'format': store.FORMAT, 'complete': False, 'made_by': f'mmduet {__version__}', 'config': config,
                'command': command, **content}
    with writing(folder / store.INDEX):
        write_atomically(folder / store.INDEX, index)
    with writing(folder / store.MANIFEST):
        store.write_manifest(folder, manifest)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """While a file is written, a full disk is the user's matter."""
    from mmduet.io.failures import describe_failure
    from mmduet.teacher_cache.store import CacheError
    try:
        yield
    except OSError as error:
        raise CacheError(f'{describe_failure(error, str(path))}. Then run the same command again, which goes on') from error


def finish_section(folder: Path) -> None:
    """Write the checksums of the shards into the manifest, and that it is complete.

    Raises:
        CacheError: a shard is missing or damaged.
    """
    from mmduet.teacher_cache import store
    manifest = store.read_manifest(folder)
    for entry, shard in zip(manifest['shards'], store.list_shards(manifest), strict=True):
        entry['sha256'] = store.find_checksum(folder, shard)
        if entry['sha256'] is None:
            raise store.CacheError(f'{folder / shard.name} was not written: run the same command again')
    with writing(folder / store.MANIFEST):
        store.write_manifest(folder, {**manifest, 'complete': True})


class Progress:
    """Lines of progress with the time to go, from the first process."""

    def __init__(self, total: int, active: bool) -> None:
        self._total = total
        self._active = active
        self._start = self._last = time.monotonic()
        self._written = 0

    def show(self, number: int, written: bool) -> None:
        """Tell that ``number`` of this process's shards are there, the last of which was ``written`` now or before."""
        self._written += written
        now = time.monotonic()
        if not self._active or (now - self._last < 5 and number < self._total):
            return
        self._last = now
        to_go = (self._total - number) * (now - self._start) / max(self._written, 1)
        print(f'  {number} of {self._total} shards, {now - self._start:.0f} s, about {to_go:.0f} s to go', flush=True)


def write_section(folder: Path, plan: Any, shards: Sequence[Any], teacher: Any, args: argparse.Namespace) -> None:
    """Write this process's shards: of texts first, as images are compared with the texts of all."""
    from mmengine.dist import barrier, get_dist_info

    from mmduet.teacher_cache.writer import CacheWriter, share
    rank, world = get_dist_info()
    writer = CacheWriter(teacher, plan, folder, args.batch_size, args.decoders)
    kinds = [share(shards, rank, world, lambda shard: 'text' in shard.parts),
             share(shards, rank, world, lambda shard: 'text' not in shard.parts)]
    progress, number = Progress(sum(map(len, kinds)), rank == 0), 0
    for numbers in kinds:
        for shard in numbers:
            written = writer.write(shards, shard)
            number += 1
            progress.show(number, written)
        barrier()


def command_of(args: argparse.Namespace, out: Path, split: str) -> str:
    """The command that makes a section again."""
    words = ['mmduet', 'cache-teacher', args.config, '--out', str(out), '--splits', split]
    words += ['--distractors'] if args.distractors else []
    words += ['--data-root', args.data_root] if args.data_root is not None else []
    words += ['--no-pretrained'] if args.no_pretrained else []
    words += ['--patch', *args.patch] if args.patch else []
    words += ['--cfg-options', *args.cfg_options] if args.cfg_options else []
    return shlex.join(words)


def cache_split(teacher: Any, config: Mapping[str, Any], dataset: Any, split: str, out: Path, args: argparse.Namespace) -> None:
    """Write one split into its folder in ``out``; ``config`` is the teacher's."""
    from mmengine.dist import barrier, is_main_process

    from mmduet.engine.distributed import locked_for_all_ranks
    from mmduet.teacher_cache import plan as planning
    from mmduet.teacher_cache.identity import identify_teacher
    from mmduet.teacher_cache.store import lock_place
    mirrored = planning.mirrors(dataset)
    geometry = measure(teacher, mirrored)
    plan = planning.plan_section(dataset, split, mirrored, args.distractors)
    shards = planning.lay_out(len(plan.index.texts), plan.crop_ends, plan.expression_ends, geometry)
    content = planning.describe_section(plan, split, dataset, geometry, identify_teacher(config))
    content['loaded_weights_sha256'] = hash_weights(teacher)
    folder, index = out / content['data']['dataset'] / split, plan.index.encode()
    with locked_for_all_ranks(folder, lock_place(folder)):
        if is_main_process():
            counts = ', '.join(f'{count:,} {name}' for name, count in content['counts'].items())
            size = (sum(shard.size for shard in shards) + len(index)) / MEGABYTE
            print(f'{folder}: {counts}; {size:.1f} MB in {len(shards)} shards', flush=True)
            start_section(folder, content, index, shards, command_of(args, out, split), args.config, args.redo)
        barrier()
        write_section(folder, plan, shards, teacher, args)
        if is_main_process():
            finish_section(folder)
            print(f'{folder}: complete', flush=True)
        barrier()


def run(args: argparse.Namespace) -> int:
    """Write every split that is named."""
    from mmduet.io.files import require_writable
    cfg = common.load_model(args)
    config, out = find_teacher(cfg, args.out, args.teacher)
    require_writable(out / 'section')
    if args.launcher != 'none':
        from mmduet.engine.distributed import join_process_group
        join_process_group(args.launcher)
    teacher = build_teacher(config, cfg, args.seed)
    for dataset, split in build_datasets(cfg, args.splits):
        cache_split(teacher, config, dataset, split, out, args)
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
