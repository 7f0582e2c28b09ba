"""Four expressions over three images, their other objects, and predictions of which the overlaps are known."""
import json
from pathlib import Path
from typing import Any

from mmduet.evaluation.report.cases import Cases, read_cases
from mmduet.evaluation.report.predictions import Predictions, read_predictions
from tests.tiny_data import line, write_lines, write_photo

EVIL = '<script>alert("x")</script>&'
OBJECTS = [
    {'image_id': 1, 'image': 'a.png', 'boxes': [[0, 0, 10, 10], [20, 0, 30, 10], [0, 20, 10, 30]],
     'categories': ['cup', 'cup', 'dog']},
    {'image_id': 2, 'image': 'b.png', 'boxes': [[0, 0, 20, 20]], 'categories': ['dog']},
    {'image_id': 3, 'image': 'c.png', 'boxes': [[10, 10, 20, 20], [20, 10, 30, 20]], 'categories': ['cat', 'cat']},
]
TARGETS = {'1': [0, 0, 10, 10], '2': [20, 0, 30, 10], '3': [0, 0, 20, 20], '4': [10, 10, 20, 20]}


def annotation_lines(**changes: Any) -> list[dict[str, Any]]:
    """Canonical lines; ``changes`` go into the last."""
    common = {'split': 'val', 'ref_id': None, 'ann_id': None}
    return [line(expression_id='1', expression='left cup', box=TARGETS['1'], kind='place', **common),
            line(expression_id='2', expression='the second cup next to the red laptop', box=TARGETS['2'], kind='relation',
                 **common),
            line(expression_id='3', expression='a dog', image='b.png', image_id=2, box=TARGETS['3'], category='dog', **common),
            line(expression_id='4', expression='cat', image='c.png', image_id=3, box=TARGETS['4'], category='cat', **common)
            | changes]


def make_root(root: Path, objects: bool = True, **changes: Any) -> Path:
    """A data root; returns its annotation file."""
    for seed, name in enumerate('abc'):
        write_photo(root / 'images' / f'{name}.png', seed=seed)
    (root / 'manifest.json').write_text(json.dumps({'dataset': 'tiny', 'images': 'images'}))
    if objects:
        write_lines(root / 'annotations/objects.jsonl', OBJECTS)
    return write_lines(root / 'annotations/val.jsonl', annotation_lines(**changes))


def make_cases(root: Path, objects: bool = True, **changes: Any) -> Cases:
    """The same, read."""
    return read_cases([make_root(root, objects, **changes)])


def answers(*boxes: Any) -> list[dict[str, Any]]:
    """One line per box, as tools/test.py writes them, without the parts that may be absent."""
    return [{'expression_id': str(number), 'split': 'val', 'box': box, 'score': 0.5} for number, box in enumerate(boxes, 1)]


# All right but the second, which takes its neighbour (IoU 0), and the fourth, which has half of it.
SOME = [[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 20, 20], [10, 10, 20, 15]]
# The first is lost, the second gained, the fourth lies mostly beside its target.
OTHERS = [[30, 20, 40, 30], [20, 0, 30, 10], [0, 0, 20, 20], [17, 10, 27, 20]]


def predict(folder: Path, cases: Cases, name: str, boxes: list[Any]) -> Predictions:
    """Predictions read from a file."""
    return read_predictions(write_lines(folder / f'{name}.jsonl', answers(*boxes)), cases, name, allow_no_box=True)
