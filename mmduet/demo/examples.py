"""Images to try, drawn when the page starts: scenes of RefShapes with expressions for two of their objects."""
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmduet.io.files import write_atomically
from mmduet.refshapes import make_example, refer, scene_rng
from mmduet.refshapes.png import encode_png

# Every pixel becomes a block of so many, so that the page shows what the student sees.
ENLARGED = 5
SEED, SPLIT = 2026, 'val'  # scenes that no student is trained on, and that no table is of


def write_examples(folder: Path, count: int = 4) -> list[tuple[Path, str]]:
    """Draw ``count`` scenes into a folder; gives their files and their expressions, one on each line."""
    return [_write_example(folder, number) for number in range(count)]


def _write_example(folder: Path, number: int) -> tuple[Path, str]:
    example = make_example(SEED, SPLIT, number)
    rng = scene_rng(SEED, 'region_val', number)
    texts = [example.expressions[0].text]
    for target in range(len(example.scene.objects)):
        if target != example.scene.target and len(texts) < 2 and (more := refer(rng, replace(example.scene, target=target))):
            texts.append(more.text)
    pixels = example.image.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
    path = folder / f'shapes_{number + 1}.png'
    write_atomically(path, encode_png(np.ascontiguousarray(pixels)))
    return path, '\n'.join(texts)
