import numpy as np
import pytest
import torch

from mmduet.evaluation.report.overlaps import clip_boxes, overlap_pairs
from mmduet.evaluation.rules import Answer, OriginalPixelsRule


def test_boxes_are_clipped_to_their_own_image():
    boxes = np.array([[-5.0, 1.0, 50.0, 50.0], [0.0, 0.0, 5.0, 5.0]])
    assert clip_boxes(boxes, np.array([[40, 30], [4, 60]])).tolist() == [[0, 1, 40, 30], [0, 0, 4, 5]]


@pytest.mark.parametrize(('box', 'overlap'), [([0, 0, 10, 5], 0.5), ([10, 0, 20, 10], 0.0), ([3, 3, 3, 3], 0.0),
                                              ([np.nan] * 4, 0.0)])
def test_the_overlap_is_known_and_never_nan(box, overlap):
    assert overlap_pairs(np.array(box, dtype=float), np.array([0.0, 0, 10, 10])) == overlap


def test_every_overlap_is_exactly_that_of_the_metric():
    rng = np.random.default_rng(0)
    low, sizes = rng.uniform(-10, 60, (200, 2, 2)), rng.integers(40, 90, (200, 2))
    boxes = np.concatenate([low, low + rng.uniform(0, 40, (200, 2, 2))], axis=2)
    boxes[::10, 0] = boxes[::10, 1]
    predicted, targets = boxes[:, 0].astype(np.float32).astype(float), boxes[:, 1]
    rule = OriginalPixelsRule()
    expected = [float(rule.overlap(Answer(box=torch.tensor(p), target=torch.tensor(t), ori_shape=(int(h), int(w)))))
                for p, t, (w, h) in zip(predicted, targets, sizes, strict=True)]
    assert overlap_pairs(clip_boxes(predicted, sizes), targets).tolist() == expected
