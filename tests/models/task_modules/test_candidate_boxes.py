import pytest
import torch

from mmduet.models.task_modules import CandidateBoxes
from mmduet.structures.boxes import cxcywh_to_xyxy, iou_cxcywh

TARGET = torch.tensor([[[0.5, 0.5, 0.2, 0.4]]])
ONE_EACH = CandidateBoxes(jitters=1, near_misses=1, beside=1, predicted=1)


def test_noise_in_the_middle_gives_the_boxes_themselves_and_one_beside():
    # Rooms left 0.4, above 0.3, right 0.4, below 0.3: 0.3 of their sum is 0.02 into the room above.
    noise = torch.full((1, 4, 4), 0.5)
    noise[0, 2, 0] = 0.3
    boxes = ONE_EACH.draw(TARGET, noise, torch.tensor([[[0.3, 0.3, 0.1, 0.1]]]))
    expected = torch.tensor([[0.5, 0.5, 0.2, 0.4], [0.5, 0.5, 0.2, 0.4], [0.5, 0.2 + 0.1 * 0.02 / 0.3, 0.2, 0.4],
                             [0.3, 0.3, 0.1, 0.1]])
    torch.testing.assert_close(boxes[0], expected)


def test_noise_at_the_end_moves_and_grows_by_the_spread():
    noise = torch.tensor([[[1.0, 0.0, 1.0, 0.5]] * 2])
    boxes = CandidateBoxes(jitters=1, near_misses=1, beside=0, predicted=0).draw(TARGET, noise)
    e = torch.tensor([0.2, 0.35]).exp()
    expected = torch.tensor([[0.5 + 0.15 * 0.2, 0.5 - 0.15 * 0.4, 0.2 * e[0], 0.4],
                             [0.5 + 0.9 * 0.2, 0.2, 0.2 * e[1], 0.4]])
    assert torch.allclose(boxes[0], expected, atol=1e-6)


@pytest.mark.parametrize(('place', 'expected'), [
    (0.0, [0.1, 0.5, 0.2, 0.4]),             # at the left border
    (0.4 / 1.4 - 1e-5, [0.4, 0.5, 0.2, 0.4]),  # its centre at the left edge of the target
    (0.4 / 1.4 + 1e-5, [0.5, 0.2, 0.2, 0.4]),  # at the upper border
    (1.1 / 1.4 - 1e-5, [0.6, 0.5, 0.2, 0.4]),  # its centre at the right edge
    (1.1 / 1.4 + 1e-5, [0.5, 0.8, 0.2, 0.4])])  # at the lower border
def test_a_box_beside_goes_round_the_target(place, expected):
    draw = CandidateBoxes(jitters=0, near_misses=0, beside=1, predicted=0).draw
    assert draw(TARGET, torch.tensor([[[place, 0.5, 0.5, 0.5]]]))[0, 0].tolist() == pytest.approx(expected, abs=1e-3)


def test_a_box_beside_is_as_large_as_the_target_asks_and_never_wider_than_twice_the_room():
    draw = CandidateBoxes(jitters=0, near_misses=0, beside=400, predicted=0, beside_zoom=0.5).draw
    noise = torch.rand(2, 400, 4, generator=torch.Generator().manual_seed(0))
    small, large = draw(torch.tensor([[[0.5, 0.5, 0.1, 0.2]], [[0.5, 0.5, 0.9, 1.0]]]), noise)
    ratio = small[:, 2:] / torch.tensor([0.1, 0.2])
    assert ratio.min() >= torch.tensor(-0.5).exp() and ratio.max() <= torch.tensor(0.5).exp()
    assert large[:, 2].max() <= 0.1 + 1e-6 and ((large[:, 0] - 0.5).abs() >= 0.45 - 1e-6).all()
    assert ((small[:, :2] - 0.5).abs() >= torch.tensor([0.05, 0.1]) - 1e-6).any(dim=1).all()


def test_jitters_overlap_well_near_misses_less_and_all_lie_in_the_image():
    targets = torch.tensor([[[0.5, 0.5, 0.3, 0.3]], [[0.05, 0.9, 0.1, 0.2]], [[0.5, 0.5, 1.0, 1.0]]])
    noise = torch.rand(3, 1600, 4, generator=torch.Generator().manual_seed(0))
    boxes = CandidateBoxes(jitters=400, near_misses=400, beside=400, predicted=400).draw(targets, noise, targets)
    corners = cxcywh_to_xyxy(boxes)
    assert corners.min() >= -1e-6 and corners.max() <= 1 + 1e-6
    assert boxes[:2, :, 2:].min() > 0 and boxes[2, :800, 2:].min() > 0
    # There is no room beside a target that is the whole image: such boxes have no area, and are none.
    assert boxes[2, 800:1200, 2:].prod(dim=-1).max() == 0
    overlap = iou_cxcywh(boxes, targets)[0]
    assert overlap[:400].min() > 0.4 and overlap[:400].mean() > 0.7
    assert 0.15 < overlap[400:800].mean() < 0.35 < overlap[1200:].mean() < 0.5


def test_impossible_numbers_are_refused():
    with pytest.raises(ValueError, match='numbers of candidates must not be negative'):
        CandidateBoxes(jitters=-1)
    with pytest.raises(ValueError, match='beside_zoom'):
        CandidateBoxes(beside_zoom=-0.5)
    for name in ('jitter_spread', 'near_miss_spread', 'predicted_spread'):
        with pytest.raises(ValueError, match=rf'{name} must not be negative, got \(0\.1, -0\.2\)'):
            CandidateBoxes(**{name: (0.1, -0.2)})
