import pytest
import torch

from mmduet.models import GroundingDataPreprocessor
from tests.tiny_transvg import make_batch


def test_photos_are_normalised_and_placed_on_a_zero_canvas():
    batch = make_batch()
    canvases = GroundingDataPreprocessor()(batch)['inputs']
    assert canvases.shape == (2, 3, 64, 64)
    assert canvases.is_contiguous(memory_format=torch.channels_last)
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    assert torch.allclose(canvases[0, :, 8:56], (batch['inputs'][0] / 255 - mean) / std, atol=1e-6)
    assert canvases[0, :, :8].abs().sum() == canvases[1, :, :, 48:].abs().sum() == 0


def test_the_unit_range_gives_the_bytes_back_and_black_padding():
    batch = make_batch()
    preprocessor = GroundingDataPreprocessor()
    images = preprocessor.to_unit_range(**{'inputs': preprocessor(batch)['inputs'], 'samples': batch['data_samples']})
    assert torch.allclose(images[1, :, :, 16:48] * 255, batch['inputs'][1].float(), atol=1e-3)
    assert images[1, :, :, :16].abs().sum() == 0


def test_statistics_are_no_part_of_a_checkpoint():
    assert GroundingDataPreprocessor().state_dict() == {}


def test_a_photo_that_does_not_fit_its_canvas_is_named():
    batch = make_batch()
    batch['inputs'][1] = batch['inputs'][1][:, :10]
    with pytest.raises(ValueError, match=r'b\.jpg: photo \(3, 10, 32\) does not fit'):
        GroundingDataPreprocessor()(batch)
