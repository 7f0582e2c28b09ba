import pytest
import torch

from mmduet.refshapes.clip_pretrainer import CLIPPretrainer
from mmduet.refshapes.region_dataset import RefShapesRegionDataset
from mmduet.refshapes.zero_shot import make_windows, search

FOLDER = 'mmduet/refshapes/tiny_clip/clip_tiny_refshapes'


def test_windows_are_all_places_a_stride_apart():
    windows = make_windows(16, (8, 16), 4)
    assert windows.tolist() == [
        [x, y, 0.5, 0.5] for y in (0.25, 0.5, 0.75) for x in (0.25, 0.5, 0.75)] + [[0.5, 0.5, 1.0, 1.0]]


@pytest.mark.parametrize('wrong', [((), 4), ((0, ), 4), ((20, ), 4), ((8, ), 0)])
def test_windows_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match='sides in 1 to 16'):
        make_windows(16, *wrong)


def test_attribute_expressions_are_mostly_grounded_among_the_true_boxes():
    model = CLIPPretrainer('clip_tiny_refshapes', f'{FOLDER}.json', f'{FOLDER}.safetensors').eval()
    dataset = RefShapesRegionDataset(40, seed=9, split='region_val')
    asked = [item for item in dataset if item['data_samples'].kind == 'attribute']
    right = 0
    for item in asked:
        sample = item['data_samples']
        box = search(model, item['inputs'], sample.expression, sample.boxes)
        right += torch.equal(box, sample.boxes[sample.target])
    assert right >= 0.8 * len(asked) > 5


def test_the_answer_is_one_of_the_windows():
    torch.manual_seed(0)
    model = CLIPPretrainer('clip_tiny_refshapes', f'{FOLDER}.json').eval()
    windows = make_windows(64, (32, ), 16)
    box = search(model, torch.zeros(3, 64, 64, dtype=torch.uint8), 'a red star', windows)
    assert box.tolist() in windows.tolist()
