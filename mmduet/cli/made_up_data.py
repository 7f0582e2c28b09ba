"""Images and expressions that are made up, where a tool measures and has no data."""
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

IMAGES = 16
PLAIN = ((640, 480), )
# Width and height, pixels, of as many images in the proportions that RefCOCO has: 4:3, 3:2, upright ones, a square one.
PHOTOGRAPHS = ((640, 480), (640, 427), (480, 640), (640, 427), (640, 480), (612, 612), (640, 480), (640, 427),
               (427, 640), (640, 480), (640, 427), (480, 640), (500, 375), (640, 480), (640, 427), (640, 360))
WORDS = (('left', 'right', 'small', 'big'), ('red', 'blue', 'striped', 'wooden'), ('chair', 'dog', 'shirt guy', 'umbrella'))


def make_data_root(folder: Path, expressions: int = 1, sizes: Sequence[tuple[int, int]] = PLAIN) -> Path:
    """Write images of these sizes, each with expressions of three or four words, as a data root with one split, train."""
    import cv2
    import numpy as np

    from mmduet.io.files import write_anew
    rng = np.random.default_rng(0)
    (folder / 'images').mkdir(parents=True)
    (folder / 'annotations').mkdir()
    lines: list[str] = []
    words = itertools.cycle(itertools.product(*WORDS))
    for number in range(IMAGES):
        coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        width, height = sizes[number % len(sizes)]
        image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        write_anew(folder / 'images' / f'{number}.jpg', cv2.imencode('.jpg', image)[1].tobytes())
        boxes: list[tuple[int, int]] = []
        for _ in range(expressions):
            x, y = (int(value) for value in rng.integers(20, 200, 2))
            # Every fourth is about the object of the first of its four: four expressions of an image of RefCOCO are about 2.8.
            boxes.append((x, min(y, height - 200)) if len(boxes) % 4 < 3 else boxes[-3])
            x, y = boxes[-1]
            lines.append(json.dumps({'expression_id': str(len(lines)), 'image': f'{number}.jpg', 'image_id': number,
                                     'split': 'train', 'width': width, 'height': height, 'expression': ' '.join(next(words)),
                                     'box': [x, y, x + 220, y + 180]}))
    write_anew(folder / 'annotations/train.jsonl', ('\n'.join(lines) + '\n').encode())
    write_anew(folder / 'manifest.json', json.dumps({'dataset': 'synthetic', 'images': 'images'}).encode())
    return folder
