#!/usr/bin/env python
"""Time what feeds a model: how long annotations take to load and how much memory, and how fast photos are made ready.

    python tools/analysis_tools/benchmark_data.py --expressions 427193
    python tools/analysis_tools/benchmark_data.py --photos COCO/train2014 --count 100

The first writes that many made-up phrases, as many as Flickr30K Entities has for training, and loads them. The second compares
the training transforms with what the TransVG family does (Pillow throughout: decode, resize, jitter of colours by blending
images, normalise in floating point), both on one thread, and says how far apart the pictures are where both do the same.
Figures are of processor time, so that a busy machine does not matter.
"""
import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FACTORS = (1.2, 0.8, 1.3)
SIDE = 640


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--expressions', type=int, default=427193, help='phrases to load (default: %(default)s)')
    parser.add_argument('--photos', type=Path, help='folder of photos to make ready')
    parser.add_argument('--count', type=int, default=64, help='how many photos (default: %(default)s)')
    return parser.parse_args(arguments)


def write_phrases(root: Path, count: int) -> None:
    """A data root of made-up phrases, 14 of an image."""
    (root / 'annotations').mkdir(parents=True)
    with (root / 'annotations' / 'train.jsonl').open('w', encoding='utf-8') as file:
        for number in range(count):
            image = 1000000000 + number // 14
            file.write(json.dumps({
                'expression_id': f'{image}_{number % 5}_{number % 14}', 'image': f'{image}.jpg', 'image_id': image,
                'width': 500, 'height': 375, 'expression': 'a man in a red shirt', 'box': [12.0, 30.0, 212.0, 130.0],
                'split': 'train', 'ref_id': f'{image}_{number}', 'ann_id': None, 'category': 'people'}) + '\n')
    (root / 'manifest.json').write_text(json.dumps({'dataset': 'made-up', 'images': 'images'}))


def memory(field: str) -> float:
    """``VmRSS`` or ``VmHWM`` of this process, megabytes (2^20 bytes); nan where the system does not say."""
    try:
        lines = Path('/proc/self/status').read_text().splitlines()
    except OSError:
        return float('nan')
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(field)), float('nan'))


def time_loading(count: int) -> str:
    """Write, load, and say what it took."""
    from mmduet.datasets import GroundingDataset
    with tempfile.TemporaryDirectory() as folder:
        write_phrases(Path(folder) / 'root', count)
        before, start, clock = memory('VmRSS'), time.process_time(), time.perf_counter()
        dataset = GroundingDataset(Path(folder) / 'root', ['train'], [])
        spent, wall = time.process_time() - start, time.perf_counter() - clock
        after, peak = memory('VmRSS') - before, memory('VmHWM') - before
    return (f'{len(dataset):,} phrases: {spent:.1f} s of processor time ({wall:.1f} s on the clock), {after:.0f} MB more '
            f'memory, {peak:.0f} MB at the peak')


def family_photo(path: Path) -> Any:
    """What the TransVG family does to a photo, by Pillow and torch: (3, h, w) float32."""
    import torch
    from PIL import Image, ImageEnhance
    image = Image.open(path).convert('RGB')
    ratio = SIDE / max(image.size)
    image = image.resize((round(image.width * ratio), round(image.height * ratio)), Image.Resampling.BILINEAR)
    for enhance, factor in zip((ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color), FACTORS, strict=True):
        image = enhance(image).enhance(factor)
    image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)
    normal = (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    canvas = torch.zeros(3, SIDE, SIDE)
    canvas[:, :normal.shape[1], :normal.shape[2]] = normal
    return canvas


def our_photo(path: Path) -> Any:
    """The same by our transforms: (3, h, w) bytes; normalising and the canvas are the device's work."""
    import cv2

    from mmduet.datasets import read_photo
    from mmduet.datasets.transforms.color import change_brightness, change_contrast, change_saturation
    from mmduet.datasets.transforms.geometry import resize_photo, resized_shape
    from mmduet.datasets.transforms.packing import to_planes
    photo = read_photo(path)
    photo = resize_photo(photo, resized_shape(photo.shape[:2], SIDE))
    for change, factor in zip((change_brightness, change_contrast, change_saturation), FACTORS, strict=True):
        photo = change(photo, factor)
    return to_planes(cv2.flip(photo, 1))


def time_each(make: Callable[[Path], Any], paths: Sequence[Path]) -> float:
    """Processor time of a photo, milliseconds: the best of three rounds."""
    rounds = []
    for _ in range(3):
        start = time.process_time()
        for path in paths:
            make(path)
        rounds.append(1000 * (time.process_time() - start) / len(paths))
    return min(rounds)


def compare_photos(folder: Path, count: int) -> str:
    """Times of both and how far their pictures are apart."""
    import cv2
    import torch
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ('.jpg', '.jpeg', '.png'))[:count]
    if not paths:
        raise FileNotFoundError(f'{folder} holds no photo')
    apart = []
    for path in paths[:16]:
        ours, theirs = our_photo(path), family_photo(path)[:, :our_photo(path).shape[1], :our_photo(path).shape[2]]
        undone = theirs * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]
        apart.append((undone * 255 - ours.float()).abs())
    worst, mean = max(float(part.max()) for part in apart), float(np.mean([float(part.mean()) for part in apart]))
    ours, theirs = time_each(our_photo, paths), time_each(family_photo, paths)
    return (f"{len(paths)} photos to {SIDE} px: ours {ours:.1f} ms, the family's {theirs:.1f} ms, {theirs / ours:.2f} times as "
            f'fast; of 255, pixels are {mean:.2f} apart on average and {worst:.0f} at most')


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    args = parse_args(arguments)
    sys.path.insert(0, str(ROOT))
    try:
        print(compare_photos(args.photos, args.count) if args.photos else time_loading(args.expressions))
    except FileNotFoundError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
