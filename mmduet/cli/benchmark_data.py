"""Time what feeds a model: how long annotations take to load, how much memory they and workers need, how fast images are ready.

    mmduet benchmark-data --expressions 427193
    mmduet benchmark-data --images COCO/train2014 --count 100
    mmduet benchmark-data --reading COCO/train2014 COCO/train2014.zip decoded.zip --count 100

The first writes that many made-up phrases, as many as Flickr30K Entities has for training, loads them, and weighs worker
processes that read them. The second compares decoding, resizing, jittering colours and mirroring, by our transforms and as the
TransVG family does it (Pillow throughout, then normalised in floating point and padded), image by image with the same random
draws, on one thread, and says how far apart the results are. The family's crop, which resizes twice, is left out. The third
compares reading and decoding alone, of the same images out of folders and archives. Figures are of processor time, the least of
five rounds for each image, so that a busy machine matters little.
"""
import argparse
import gc
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from mmduet.cli import common, running, useless_flags
from mmduet.io.files import naming, write_anew

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDES, CANVAS = (640, 608, 576, 544, 512, 480, 448), 640
BATCH, ROUNDS, WORKERS = 8, 5, 2
# About as many phrases and objects of a image as Flickr30K Entities has.
FIRST_IMAGE, PHRASES, OBJECTS = 1_000_000_000, 14, 9
# Lines are about 270 bytes, so that every eighth touches every page of 4,096.
EVERY = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('--expressions', type=common.positive, default=427193, help='phrases to load (default: %(default)s)')
    parser.add_argument('--images', type=Path, help='folder of images to make ready')
    parser.add_argument('--reading', type=Path, nargs='+', action='extend', metavar='PLACE',
                        help='folders and archives of the same images')
    parser.add_argument('--count', type=common.positive, default=64, help='how many images (default: %(default)s)')
    parser.set_defaults(validate=_validate)


def _validate(args: argparse.Namespace) -> None:
    asked = '--reading' if args.reading else '--images' if args.images else ''
    unread = {'--reading': 'images expressions', '--images': 'expressions', '': 'count'}[asked]
    useless_flags.refuse(args, unread, f'{asked or "loading phrases"} is timed alone')


def write_phrases(root: Path, count: int) -> None:
    """A data root of made-up phrases, 14 of an image with nine objects."""
    (root / 'annotations').mkdir(parents=True)
    train, objects = root / 'annotations/train.jsonl', root / 'annotations/objects.jsonl'
    with naming(train), train.open('w', encoding='utf-8') as file:
        for number in range(count):
            image = FIRST_IMAGE + number // PHRASES
            file.write(json.dumps({
                'expression_id': f'{image}_{number % 5}_{number % PHRASES}', 'image': f'{image}.jpg', 'image_id': image,
                'width': 500, 'height': 375, 'expression': 'a man in a red shirt', 'box': [12.0, 30.0, 212.0, 130.0],
                'split': 'train', 'ref_id': f'{image}_{number}', 'ann_id': None, 'category': 'people'}) + '\n')
    with naming(objects), objects.open('w', encoding='utf-8') as file:
        for image in range(FIRST_IMAGE, FIRST_IMAGE + -(-count // PHRASES)):
            file.write(json.dumps({'image_id': image, 'image': f'{image}.jpg', 'categories': ['people'] * OBJECTS,
                                   'boxes': [[12.0 + left, 30.0, 212.0, 130.0] for left in range(OBJECTS)]}) + '\n')
    write_anew(root / 'manifest.json', json.dumps({'dataset': 'made-up', 'images': 'images'}).encode())


def memory(field: str, process: str = 'self', file: str = 'status') -> float:
    """A field of a process, such as ``VmRSS``, megabytes (2^20 bytes); nan where the system does not tell."""
    try:
        lines = Path(f'/proc/{process}/{file}').read_text().splitlines()
    except OSError:
        return float('nan')
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f'{field}:')), float('nan'))


def time_loading(count: int) -> str:
    """Write, load, and tell what it took."""
    from mmduet.datasets import GroundingDataset
    with tempfile.TemporaryDirectory() as folder:
        write_phrases(Path(folder) / 'few', min(count, 1000))
        write_phrases(Path(folder) / 'root', count)
        alone = weigh_workers(GroundingDataset(Path(folder) / 'few', ['train'], []))
        before, start, clock = memory('VmRSS'), time.process_time(), time.perf_counter()
        dataset = GroundingDataset(Path(folder) / 'root', ['train'], [])
        spent, wall = time.process_time() - start, time.perf_counter() - clock
        after, peak = memory('VmRSS') - before, memory('VmHWM') - before
        worker = weigh_workers(dataset)
    return (f'{len(dataset):,} phrases: {spent:.1f} s of processor time ({wall:.1f} s on the clock), {after:.0f} MB more '
            f'memory, {peak:.0f} MB at the peak\na worker process that reads them adds {worker:.1f} MB to the memory of all '
            f'processes together; with {min(count, 1000):,} phrases it adds {alone:.1f} MB')


def weigh_workers(dataset: Any) -> float:
    """What a worker that has read the annotations adds to the memory of all processes together, megabytes.

    It is nan where processes cannot be forked. That is what it has for itself alone: the pages that it made, or copied from its
    parent by writing to them (Private_Dirty).
    What is shared would not do: of a library, each process is charged the less the more processes of the machine use it.
    """
    if 'fork' not in get_all_start_methods():
        return float('nan')
    context = get_context('fork')
    pipes = [context.Pipe() for _ in range(WORKERS)]
    workers = [context.Process(target=read_phrases, args=(dataset, end), daemon=True) for _, end in pipes]
    for worker in workers:
        worker.start()
    for own, _ in pipes:
        own.recv()
    own_pages = sum(memory('Private_Dirty', str(worker.pid), 'smaps_rollup') for worker in workers)
    for (own, _), worker in zip(pipes, workers, strict=True):
        own.send('done')
        worker.join()
    return own_pages / WORKERS


def read_phrases(dataset: Any, pipe: Connection) -> None:
    """Read annotations as a worker does, and wait."""
    # A collection writes to every object of the process, which copies pages that are none of the annotations'.
    gc.disable()
    for index in range(0, len(dataset), EVERY):
        dataset.describe(index)
    pipe.send('read')
    pipe.recv()


@dataclass(frozen=True, slots=True)
class Draw:
    """What happens to one image.

    Attributes:
        side: its long side, pixels.
        factors: of brightness, contrast and saturation.
        order: in which they come; empty where colours are left alone.
        flip: whether it is mirrored.
    """

    side: int
    factors: tuple[float, ...]
    order: tuple[int, ...]
    flip: bool


def draw_changes(seed: int) -> Draw:
    """As both draw them in training: colours in four images of five, a mirror in every other."""
    rng = np.random.default_rng(seed)
    order = tuple(int(change) for change in rng.permutation(3)) if rng.random() < 0.8 else ()
    return Draw(int(rng.choice(SIDES)), tuple(rng.uniform(0.6, 1.4, 3).tolist()), order, bool(rng.random() < 0.5))


def family_image(path: Path, draw: Draw) -> tuple[Any, Any]:
    """What the TransVG family does to a image, by Pillow and torch: (3, 640, 640) float32 and the mask of its padding."""
    import torch
    from PIL import Image, ImageEnhance
    image = Image.open(path).convert('RGB')
    ratio = draw.side / max(image.size)
    image = image.resize((round(image.width * ratio), round(image.height * ratio)), Image.Resampling.BILINEAR)
    enhancers = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for change in draw.order:
        image = enhancers[change](image).enhance(draw.factors[change])
    if draw.flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
    pixels.sub_(torch.tensor(MEAN)[:, None, None]).div_(torch.tensor(STD)[:, None, None])
    canvas, mask = torch.zeros(3, CANVAS, CANVAS), torch.ones(CANVAS, CANVAS, dtype=torch.int32)
    canvas[:, :pixels.shape[1], :pixels.shape[2]] = pixels
    mask[:pixels.shape[1], :pixels.shape[2]] = 0
    return canvas, mask


def our_image(path: Path, draw: Draw) -> Any:
    """The same by our transforms: (3, h, w) bytes; normalising and the canvas are the device's work."""
    import cv2

    from mmduet.datasets import ColorJitter, QuickResizeLongSide, read_image
    from mmduet.datasets.transforms.geometry import resized_shape
    from mmduet.datasets.transforms.packing import to_planes
    image = read_image(path)
    image = QuickResizeLongSide([draw.side]).resize(image, resized_shape((image.shape[0], image.shape[1]), draw.side))
    for change in draw.order:
        image = ColorJitter.changes[change](image, draw.factors[change])
    return to_planes(cv2.flip(image, 1) if draw.flip else image)


def family_batch(items: Sequence[tuple[Any, Any]]) -> Any:
    """A batch as the family's loader makes it."""
    import torch
    return [torch.stack(parts) for parts in zip(*items, strict=True)]


def our_batch(items: Sequence[Any]) -> Any:
    """A batch as our loader makes it and packs it for its way to the trainer."""
    from mmdet.structures import DetDataSample

    from mmduet.datasets import grounding_collate
    from mmduet.structures import Canvas
    canvases = [Canvas(size=CANVAS, left=0, top=0, width=item.shape[2], height=item.shape[1], scale_x=1, scale_y=1)
                for item in items]
    return grounding_collate([
        {'inputs': item, 'data_samples': DetDataSample(metainfo={'text': '', 'img_path': '', 'canvas': canvas})}
        for item, canvas in zip(items, canvases, strict=True)]).__reduce__()


def spend(make: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Processor time, milliseconds, and what was made."""
    start = time.process_time()
    made = make(*arguments)
    return 1000 * (time.process_time() - start), made


def compare_images(folder: Path, count: int) -> str:
    """Times of both and how far their results are apart."""
    import cv2
    import torch
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ('.jpg', '.jpeg', '.png'))[:count]
    if not paths:
        raise FileNotFoundError(f'{folder} holds no image')
    jobs = [(path, draw_changes(number)) for number, path in enumerate(paths)]
    images, batches = time_images(jobs)
    apart = np.concatenate([find_distance(our_image(*job), family_image(*job)[0]) for job in jobs])
    (ours, theirs), (our_share, their_share) = images, images + batches
    return (f'{len(paths)} images to {min(SIDES)} to {max(SIDES)} px: ours {ours:.1f} ms each, of the family {theirs:.1f} '
            f'ms, {theirs / ours:.2f} times as fast\nin batches of {BATCH}, ready for the trainer: ours {our_share:.1f} ms '
            f'each, of the family {their_share:.1f} ms, {their_share / our_share:.2f} times as fast\nof 255, pixels are '
            f'{apart.mean():.2f} apart on average, {np.percentile(apart, 99.9):.0f} or less in 999 of 1,000, '
            f'{apart.max():.0f} at most')


def time_images(jobs: Sequence[tuple[Path, Draw]]) -> tuple[Any, Any]:
    """Milliseconds of a image, ours and the family's: (2,) of making it, (2,) of its share of a batch."""
    ways = ((our_image, our_batch), (family_image, family_batch))
    starts = range(0, len(jobs), BATCH)
    images, batches = np.full((2, len(jobs)), np.inf), np.full((2, len(starts)), np.inf)
    for _ in range(ROUNDS):
        for batch, start in enumerate(starts):
            made: list[list[Any]] = [[], []]
            # One after the other, so that both meet the same state of the machine.
            for number in range(start, min(start + BATCH, len(jobs))):
                for way, (make, _) in enumerate(ways):
                    spent, item = spend(make, *jobs[number])
                    images[way, number] = min(images[way, number], spent)
                    made[way].append(item)
            for way, (_, collate) in enumerate(ways):
                batches[way, batch] = min(batches[way, batch], spend(collate, made[way])[0])
    return images.mean(axis=1), batches.sum(axis=1) / len(jobs)


def compare_reading(places: Sequence[Path], count: int) -> str:
    """A line of each place: the least processor time of an image out of five rounds, in which places take turns."""
    import cv2

    from mmduet.datasets import read_image
    from mmduet.io.image_archives import is_archive, open_archive
    cv2.setNumThreads(1)
    first = places[0]
    names = sorted(open_archive(first)) if is_archive(first) else sorted(path.name for path in first.iterdir())
    if not names:
        raise FileNotFoundError(f'{first} holds no image')
    for place in places:
        if is_archive(place):
            open_archive(place)  # once, as a dataset does before its workers start
    chosen = names[:count]
    spent = np.full((len(places), len(chosen)), np.inf)
    for _ in range(ROUNDS):
        for number, name in enumerate(chosen):
            for row, place in enumerate(places):
                spent[row, number] = min(spent[row, number], spend(read_image, place / name)[0])
    each = spent.mean(axis=1)
    return '\n'.join(f'{place}: {cost:.2f} ms an image, {each[0] / cost:.2f} times as fast as the first'
                     for place, cost in zip(places, each, strict=True))


def find_distance(ours: Any, theirs: Any) -> Any:
    """Differences of all pixels, of 255: of bytes (3, h, w) and of a normalised canvas."""
    import torch
    undone = theirs[:, :ours.shape[1], :ours.shape[2]] * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]
    return (undone * 255 - ours.float()).abs().flatten().numpy()


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    if args.reading:
        print(compare_reading(args.reading, args.count))
    else:
        print(compare_images(args.images, args.count) if args.images else time_loading(args.expressions))
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
