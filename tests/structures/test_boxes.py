import pytest
import torch

from mmduet.structures.boxes import area_xyxy, cxcywh_to_xyxy, giou_cxcywh, iou_cxcywh, iou_xyxy, xyxy_to_cxcywh

UNIT = torch.tensor([0.0, 0.0, 2.0, 2.0])


def test_formats_are_inverse():
    corners = torch.tensor([[1.0, 2.0, 5.0, 8.0]])
    assert xyxy_to_cxcywh(corners).tolist() == [[3.0, 5.0, 4.0, 6.0]]
    assert torch.equal(cxcywh_to_xyxy(xyxy_to_cxcywh(corners)), corners)


@pytest.mark.parametrize(('other', 'iou', 'giou'), [
    ([0.0, 0.0, 2.0, 2.0], 1.0, 1.0),
    ([1.0, 0.0, 3.0, 2.0], 1 / 3, 1 / 3),
    ([1.0, 1.0, 3.0, 3.0], 1 / 7, 1 / 7 - 2 / 9),
    ([2.0, 0.0, 4.0, 2.0], 0.0, 0.0),
    ([3.0, 3.0, 4.0, 4.0], 0.0, -11 / 16),
    ([0.5, 0.5, 1.5, 1.5], 0.25, 0.25),
])
def test_overlaps_by_hand(other, iou, giou):
    other = torch.tensor(other)
    assert iou_xyxy(UNIT, other).item() == pytest.approx(iou)
    pair = xyxy_to_cxcywh(UNIT), xyxy_to_cxcywh(other)
    assert iou_cxcywh(*pair).item() == pytest.approx(iou)
    assert giou_cxcywh(*pair).item() == pytest.approx(giou)


def test_leading_dimensions_broadcast():
    boxes = torch.stack([UNIT, UNIT + 1])
    assert iou_xyxy(boxes[:, None], boxes).tolist() == [[1.0, pytest.approx(1 / 7)], [pytest.approx(1 / 7), 1.0]]


def test_two_empty_boxes_do_not_overlap():
    point, empty = torch.tensor([1.0, 1.0, 1.0, 1.0]), torch.tensor([1.0, 1.0, 0.0, 0.0])
    assert area_xyxy(point) == 0 and iou_xyxy(point, point) == 0 and torch.isfinite(giou_cxcywh(empty, empty))
