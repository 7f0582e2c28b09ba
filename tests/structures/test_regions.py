import pytest
import torch
import torch.nn.functional as F

from mmduet.structures import Regions, mean_without_padding, pool_regions
from mmduet.structures.regions import pool_parts, token_boxes


def test_a_mean_of_padding_alone_is_zero():
    assert mean_without_padding(torch.ones(1, 3, 2), torch.ones(1, 3, dtype=torch.bool)).tolist() == [[0.0, 0.0]]


def test_regions_of_another_shape_are_refused():
    boxes = torch.zeros(2, 3, 4)
    with pytest.raises(ValueError, match=r'Regions.negative_valid must be \(B, N\) with N = 3 as in negatives, got \(2, 2\)'):
        Regions(positives=boxes, positive_weight=torch.zeros(2, 3), negatives=boxes, negative_valid=torch.zeros(2, 2))


def test_pooling_a_ramp_reads_its_value_at_the_centre():
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    boxes = torch.tensor([[[0.5, 0.5, 0.5, 0.5], [0.25, 0.5, 0.25, 0.1]]])
    assert pool_regions(ramp, boxes)[0, :, 0].tolist() == pytest.approx([3.5, 1.5])


def test_pooling_is_the_mean_over_the_whole_box_whatever_its_size():
    feature_map = torch.randn(2, 5, 9, 7, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[[0.4, 0.5, 0.05, 0.04], [0.5, 0.5, 0.9, 0.95], [0.1, 0.9, 0.4, 0.5]]] * 2)
    steps = (torch.arange(300) + 0.5) / 300 - 0.5
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing='xy'), dim=-1).reshape(-1, 2)
    points = boxes[:, :, None, :2] + offsets * boxes[:, :, None, 2:]
    expected = F.grid_sample(feature_map, 2 * points - 1, padding_mode='border', align_corners=False).mean(dim=3).mT
    torch.testing.assert_close(pool_regions(feature_map, boxes), expected, atol=2e-4, rtol=0)


def test_a_box_without_extent_reads_one_point():
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    assert pool_regions(ramp, torch.tensor([[[0.5, 0.25, 0.0, 0.0]]])).item() == pytest.approx(3.5, abs=1e-4)


def test_a_map_of_one_cell_is_read_as_it_is():
    assert pool_regions(torch.full((1, 1, 1, 1), 3.0), torch.rand(1, 4, 4))[0, :, 0].tolist() == pytest.approx([3.0] * 4)


def test_gradients_reach_the_map_and_the_box():
    feature_map = torch.randn(1, 2, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    boxes = torch.tensor([[[0.47, 0.52, 0.31, 0.37]]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(pool_regions, (feature_map, boxes))


def test_outside_the_map_its_border_is_read():
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    assert pool_regions(ramp, torch.tensor([[[2.0, 0.5, 0.1, 0.1]]])).item() == 3


def test_the_parts_of_a_box_are_boxes_of_their_own_row_by_row():
    feature_map = torch.randn(1, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    box, left_above, right_below = torch.tensor([[[0.5, 0.4, 0.4, 0.6]], [[0.4, 0.25, 0.2, 0.3]], [[0.6, 0.55, 0.2, 0.3]]])
    parts = pool_parts(feature_map, box[None], 2)
    assert parts.shape == (1, 1, 2, 2, 3)
    torch.testing.assert_close(parts[0, 0, 0, 0], pool_regions(feature_map, left_above[None])[0, 0])
    torch.testing.assert_close(parts[0, 0, 1, 1], pool_regions(feature_map, right_below[None])[0, 0])
    torch.testing.assert_close(parts.mean(dim=(2, 3)), pool_regions(feature_map, box[None]))


def test_the_boxes_of_tokens_are_in_rows():
    boxes = token_boxes(torch.Size((2, 2)), torch.zeros(1))
    assert boxes[:, :2].tolist() == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    assert boxes[:, 2:].unique().tolist() == [0.5]
