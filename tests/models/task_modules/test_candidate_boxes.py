import pytest
import torch

from mmduet.models.task_modules import CandidateBoxes
from mmduet.structures.boxes import cxcywh_to_xyxy, iou_cxcywh

TARGET = torch.tensor([[[0.5, 0.5, 0.2, 0.4]]])


def test_noise_in_the_middle_gives_the_target_itself_and_a_middling_box_in_the_middle():
    boxes = CandidateBoxes(jitters=1, near_misses=1, randoms=1).draw(TARGET, torch.full((1, 3, 4), 0.5))
    assert torch.allclose(boxes[0], torch.tensor([[0.5, 0.5, 0.2, 0.4], [0.5, 0.5, 0.2, 0.4], [0.5, 0.5, 0.28, 0.28]]))


def test_noise_at_the_end_moves_and_grows_by_the_spread():
    boxes = CandidateBoxes(jitters=1, near_misses=1, randoms=1).draw(TARGET, torch.tensor([[[1.0, 0.0, 1.0, 0.5]] * 3]))
    e = torch.tensor([0.2, 0.35, 0.15]).exp()
    expected = torch.tensor([[0.5 + 0.15 * 0.2, 0.5 - 0.15 * 0.4, 0.2 * e[0], 0.4], [0.5 + 0.9 * 0.2, 0.2, 0.2 * e[1], 0.4],
                             [1 - 0.21 / e[2], 0.5, 0.42 / e[2], 0.42 * e[2]]])
    assert torch.allclose(boxes[0], expected, atol=1e-6)


def test_jitters_overlap_well_near_misses_less_and_all_lie_in_the_image():
    targets = torch.tensor([[[0.5, 0.5, 0.3, 0.3]], [[0.05, 0.9, 0.1, 0.2]], [[0.5, 0.5, 1.0, 1.0]]])
    noise = torch.rand(3, 1200, 4, generator=torch.Generator().manual_seed(0))
    boxes = CandidateBoxes(jitters=400, near_misses=400, randoms=400).draw(targets, noise)
    corners = cxcywh_to_xyxy(boxes)
    assert corners.min() >= -1e-6 and corners.max() <= 1 + 1e-6 and boxes[..., 2:].min() > 0
    overlap = iou_cxcywh(boxes, targets)[0]
    assert overlap[:400].min() > 0.4 and overlap[:400].mean() > 0.7
    assert 0.15 < overlap[400:800].mean() < 0.4
    assert boxes[0, 800:, 2:].prod(-1).sqrt().aminmax().min > 0.14 - 1e-6


def test_impossible_numbers_are_refused():
    with pytest.raises(ValueError, match='negative'):
        CandidateBoxes(jitters=-1)
    with pytest.raises(ValueError, match='random_scale'):
        CandidateBoxes(random_scale=(0.5, 0.2))
