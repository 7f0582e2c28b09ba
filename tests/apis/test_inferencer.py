import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmduet.apis import GroundingInferencer
from mmduet.engine import CheckpointError
from mmduet.io.errors import ImageError
from mmduet.models.cpu.linear import CPULinear
from mmduet.registry import MODELS
from tests.shared_data import ROOT
from tests.tiny_data import write_photo


@pytest.fixture(scope='module')
def config():
    return Config.fromfile(ROOT / 'configs/transvg/transvg_refshapes.py')


@pytest.fixture(scope='module')
def checkpoint(config, tmp_path_factory):
    torch.manual_seed(3)
    model = MODELS.build(config.model)
    path = tmp_path_factory.mktemp('checkpoint') / 'model.pth'
    torch.save({'state_dict': {f'student.{key}': value for key, value in model.state_dict().items()}}, path)
    return path


def test_a_file_and_its_pixels_give_the_same_boxes_in_pixels_of_the_image(config, checkpoint, tmp_path):
    pixels = write_photo(tmp_path / 'image.png', width=200, height=100)
    infer = GroundingInferencer(config, checkpoint)
    answers = infer(tmp_path / 'image.png', ['the red circle', 'the leftmost ring'])
    assert type(infer.model.visual_proj) is CPULinear
    assert [answer.text for answer in answers] == ['the red circle', 'the leftmost ring']
    again = infer(pixels, 'the  red circle ')
    assert torch.allclose(again[0].pred_instances.bboxes, answers[0].pred_instances.bboxes, atol=1e-3)
    for answer in answers:
        x1, y1, x2, y2 = answer.pred_instances.bboxes[0].tolist()
        assert 0 <= x1 < x2 <= 200 and 0 <= y1 < y2 <= 100
        assert answer.ori_shape == (100, 200)


def test_bad_input_is_named(config, checkpoint, tmp_path):
    infer = GroundingInferencer(config, checkpoint)
    with pytest.raises(ValueError, match=r"expected expressions, got \['dog', ' '\]"):
        infer(np.zeros((10, 10, 3), np.uint8), ['dog', ' '])
    with pytest.raises(ImageError, match=r'gone\.png'):
        infer(tmp_path / 'gone.png', 'dog')
    torch.save({'state_dict': {'other.weight': torch.ones(1)}}, tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match=r'other\.pth is a checkpoint of another model than TransVG'):
        GroundingInferencer(config, tmp_path / 'other.pth')
