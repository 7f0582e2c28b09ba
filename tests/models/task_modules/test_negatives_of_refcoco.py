import json

import pytest
import torch

from mmduet.models.task_modules import LocationSampler, RandomSampler, SemanticsSampler, SLASampler
from mmduet.structures.boxes import iou_cxcywh
from tests.models.task_modules.refcoco_boxes import draw_refcoco_boxes
from tests.shared_data import shared

SPLITS = ['refcoco_unc_val', 'refcoco_unc_testA', 'refcoco_unc_testB', 'refcoco+_unc_val', 'refcoco+_unc_testA',
          'refcoco+_unc_testB', 'refcocog_umd_val', 'refcocog_umd_test']
SAMPLERS = [SLASampler, SemanticsSampler, LocationSampler, RandomSampler]


def read_boxes(split):
    boxes = []
    for line in shared(f'data/refcoco_family/val_test/REC_{split}.jsonl').read_text().splitlines():
        record = json.loads(line)
        low_x, low_y, high_x, high_y = record['bbox']
        width, height = record['width'], record['height']
        boxes.append([(low_x + high_x) / 2 / width, (low_y + high_y) / 2 / height, (high_x - low_x) / width,
                      (high_y - low_y) / height])
    return torch.tensor(boxes)


def share_inside(boxes, targets):
    """Share of each box that lies in the target: what a teacher that is exactly right reads there."""
    area, whole = boxes[..., 2:].prod(dim=-1), targets[..., 2:].prod(dim=-1)
    shared_share = iou_cxcywh(boxes, targets)
    return shared_share * (area + whole) / (1 + shared_share) / area.clamp(min=1e-9)


def negatives_of(kind, boxes):
    content = torch.tensor([[0, 0, 640, 640]]).expand(len(boxes), 4)
    targets = boxes[:, None]
    return kind().sample(boxes, content, 640, step=0, keys=[str(row) for row in range(len(boxes))],
                         semantics=lambda candidates: share_inside(candidates, targets))


def check(kind, boxes):
    regions, targets = negatives_of(kind, boxes), boxes[:, None]
    valid, inside = regions.negative_valid, share_inside(regions.negatives, targets)
    centred = ((regions.negatives[..., :2] - targets[..., :2]).abs() < targets[..., 2:] / 2 - 1e-4).all(dim=-1)
    assert (inside[valid] >= 0.7).float().mean() <= 0.03
    assert centred[valid].float().mean() <= 0.03
    assert (valid.sum(dim=1) >= 6).float().mean() >= 0.99


@pytest.mark.parametrize('kind', SAMPLERS)
def test_with_an_exact_teacher_negatives_are_no_parts_of_targets_of_refcocos_sizes(kind):
    check(kind, draw_refcoco_boxes(4000))


@pytest.mark.parametrize('split', SPLITS)
def test_with_an_exact_teacher_negatives_are_no_parts_of_the_real_targets(split):
    boxes = read_boxes(split)
    for kind in (SLASampler, RandomSampler):
        check(kind, boxes)


def test_the_sizes_are_those_of_the_real_boxes():
    real = torch.cat([read_boxes(split) for split in SPLITS])[:, 2:].prod(dim=1).sqrt()
    ours = draw_refcoco_boxes(4000)[:, 2:].prod(dim=1).sqrt()
    shares = torch.tensor([0.1, 0.5, 0.9])
    torch.testing.assert_close(ours.quantile(shares), real.quantile(shares), atol=0.02, rtol=0)
