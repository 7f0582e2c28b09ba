import json
from collections import defaultdict

import numpy as np
import pytest

from mmduet.refshapes.generator import make_example
from tests.shared_data import shared

# Measured on the targets of RefCOCO val (unc), below: 10, 50 and 90 % of their sides as shares of the image's, and of the
# largest IoU with another annotated target of the image.
SIDES, OVERLAPS = (0.26, 0.39, 0.65), (0.0, 0.07, 0.33)


def largest_overlaps(boxes):
    """The largest IoU of each of (n, 4) xyxy boxes with another one; 0 for one that is alone."""
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    low, high = np.maximum(boxes[:, None, :2], boxes[None, :, :2]), np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared_area = (high - low).clip(min=0).prod(axis=2)
    np.fill_diagonal(shared_area, 0)
    return (shared_area / (area[:, None] + area[None] - shared_area)).max(axis=1)


def percentiles(values):
    return np.percentile(values, [10, 50, 90])


def test_the_figures_of_refcoco_are_those_of_its_boxes():
    images = defaultdict(set)
    for line in shared('data/refcoco_family/val_test/REC_refcoco_unc_val.jsonl').read_text().splitlines():
        record = json.loads(line)
        images[record['img_path'], record['width'], record['height']].add(tuple(record['bbox']))
    sides, overlaps = [], []
    for (_, width, height), found in images.items():
        boxes = np.array(sorted(found))
        sides += np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) / (width * height)).tolist()
        overlaps += largest_overlaps(boxes).tolist()
    assert percentiles(sides) == pytest.approx(SIDES, abs=0.006)
    assert percentiles(overlaps) == pytest.approx(OVERLAPS, abs=0.006)


def test_targets_of_level_parts_are_of_refcocos_sizes_and_overlap_as_they_do():
    sides, overlaps = [], []
    for index in range(600):
        scene = make_example(0, 'val', index, level='parts').scene
        boxes = scene.boxes().astype(float)
        x1, y1, x2, y2 = boxes[scene.target]
        sides.append(((x2 - x1) * (y2 - y1)) ** 0.5 / 64)
        overlaps.append(largest_overlaps(boxes)[scene.target])
    assert percentiles(sides) == pytest.approx(SIDES, abs=0.04)
    assert percentiles(overlaps) == pytest.approx(OVERLAPS, abs=0.12)
