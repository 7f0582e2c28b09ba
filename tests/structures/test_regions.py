import pytest
import torch
from torchvision.ops import roi_align

from mmduet.structures import Regions, pool_regions
from mmduet.structures.boxes import cxcywh_to_xyxy


def test_regions_of_another_shape_are_refused():
    boxes = torch.zeros(2, 3, 4)
    with pytest.raises(ValueError, match=r'Regions.negative_valid must be \(B, N\) with N = 3 as in negatives, got \(2, 2\)'):
        Regions(positives=boxes, positive_weight=torch.zeros(2, 3), negatives=boxes, negative_valid=torch.zeros(2, 2))


def test_pooling_a_ramp_reads_its_value_at_the_centre():
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    boxes = torch.tensor([[[0.5, 0.5, 0.5, 0.5], [0.25, 0.5, 0.25, 0.1]]])
    assert pool_regions(ramp, boxes)[0, :, 0].tolist() == pytest.approx([3.5, 1.5])


def test_pooling_is_roi_align_with_three_samples_a_side():
    feature_map = torch.randn(2, 5, 9, 7, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[[0.4, 0.5, 0.3, 0.4]], [[0.6, 0.4, 0.5, 0.6]]])
    corners = cxcywh_to_xyxy(boxes) * torch.tensor([7, 9, 7, 9])
    expected = roi_align(feature_map, list(corners), 1, sampling_ratio=3, aligned=True)
    torch.testing.assert_close(pool_regions(feature_map, boxes)[:, 0], expected.flatten(1))


def test_gradients_reach_the_map_and_the_box():
    feature_map = torch.randn(1, 2, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    boxes = torch.tensor([[[0.47, 0.52, 0.31, 0.37]]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(pool_regions, (feature_map, boxes))


def test_outside_the_map_its_border_is_read():
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    assert pool_regions(ramp, torch.tensor([[[2.0, 0.5, 0.1, 0.1]]])).item() == 3
