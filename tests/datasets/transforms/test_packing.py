import json
import sys

import numpy as np
import pytest
import torch

from mmduet.datasets import LoadImage, PackGroundingInputs, PlaceOnCanvas, ResizeLongSide
from mmduet.datasets.transforms.packing import to_planes
from mmduet.evaluation.rules import transvg_target
from mmduet.io.errors import DataError
from mmduet.models import GroundingDataPreprocessor
from mmduet.structures.target_identity import image_number
from tests.shared_data import shared
from tests.tiny_data import write_photo


def pack(image, box, size=640, **more):
    results = {'img': image, 'img_path': 'x', 'text': 'cup', 'expression_id': '1', 'box': np.array(box), 'flip': False,
               'rng': np.random.default_rng(0), **more}
    for transform in (LoadImage(), ResizeLongSide(sides=[size]), PlaceOnCanvas(size=size), PackGroundingInputs()):
        results = transform(results)
    return results['inputs'], results['data_samples']


def place(height, width, random=False, seed=0, size=64):
    results = {'img': np.zeros((height, width, 3), np.uint8), 'image_shape': (height, width), 'img_path': 'x',
               'rng': np.random.default_rng(seed)}
    return PlaceOnCanvas(size=size, random=random)(results)['canvas']


@pytest.mark.parametrize(('height', 'top'), [(64, 0), (63, 0), (62, 1), (61, 1), (60, 2), (59, 2)])
def test_the_centre_is_rounded_as_the_family_rounds(height, top):
    canvas = place(height, 64)
    assert (canvas.top, canvas.left) == (top, 0)


def test_a_random_place_reaches_every_offset():
    places = {(place(62, 63, random=True, seed=seed).top, place(62, 63, random=True, seed=seed).left) for seed in range(60)}
    assert places == {(top, left) for top in range(3) for left in range(2)}


def test_an_image_larger_than_its_canvas_is_an_error():
    with pytest.raises(ValueError, match=r'resized to 70 x 50 pixels, more than its canvas of 64'):
        place(50, 70)


def test_the_scale_is_that_of_each_axis(tmp_path):
    _, sample = pack(write_photo(tmp_path / 'a.png', 333, 500), (33.67, 100.71, 210.78, 390.49))
    assert (sample.canvas.width, sample.canvas.height) == (426, 640)
    assert sample.canvas.scale_x == pytest.approx(426 / 333)
    assert sample.canvas.scale_y == pytest.approx(640 / 500)


@pytest.mark.parametrize(('change', 'said'), [
    (lambda image: image * 0.5, r'float64 of shape \(20, 30, 3\)'),
    (lambda image: image.mean(axis=2).astype(np.uint8), r'uint8 of shape \(20, 30\)'),
    (lambda image: np.dstack([image, image[..., :1]]), r'uint8 of shape \(20, 30, 4\)')])
def test_an_image_that_a_transform_made_something_else_than_bytes_of_is_refused(change, said):
    with pytest.raises(DataError, match=f'an image is {said} .* RGB bytes'):
        to_planes(change(np.full((20, 30, 3), 200, np.uint8)))


def test_the_number_of_the_file_is_looked_up_with_the_image(tmp_path):
    image = write_photo(tmp_path / 'a.png')
    (tmp_path / 'link.png').symlink_to(tmp_path / 'a.png')
    numbers = [pack(image, (1, 2, 3, 4), size=64, img_path=str(tmp_path / name))[1].image_number
               for name in ('a.png', 'link.png', 'b.png')]
    assert numbers[0] == numbers[1] == image_number(str(tmp_path / 'a.png')) != numbers[2]


def test_a_sample_holds_words_boxes_and_the_image_as_planes(tmp_path):
    image = write_photo(tmp_path / 'a.png')
    inputs, sample = pack(image, (4.5, 5.25, 20.0, 25.5), size=64, distractors=np.array([[1.0, 2.0, 3.0, 4.0]]), split='val',
                          dataset_name='tiny', img_id=7)
    assert inputs.dtype == torch.uint8
    assert tuple(inputs.shape) == (3, 48, 64)
    assert inputs.is_contiguous()
    torch.testing.assert_close(sample.gt_instances.bboxes, torch.tensor([[4.5, 5.25, 20.0, 25.5]]))
    torch.testing.assert_close(sample.distractors.bboxes, torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert (sample.text, sample.expression_id, sample.split, sample.img_id) == ('cup', '1', 'val', 7)
    assert sample.ori_shape == (30, 40)


def test_without_a_box_there_is_no_target(tmp_path):
    results = {'img': write_photo(tmp_path / 'a.png'), 'img_path': 'x', 'text': 'cup'}
    for transform in (LoadImage(), ResizeLongSide(sides=[64]), PlaceOnCanvas(size=64), PackGroundingInputs()):
        results = transform(results)
    assert 'gt_instances' not in results['data_samples']
    assert 'distractors' not in results['data_samples']


def kit_cases(name):
    folder = shared('parity/dev')
    kit = json.loads((folder / f'{name}_preprocess.json').read_text())
    arrays = np.load(folder / f'{name}_preprocess.npz')
    sys.path.insert(0, str(folder.parent))
    import named_weights
    for case in kit['cases']:
        x, y, width, height = case['bbox_xywh_original']
        box = (x, y, x + width, y + height)
        if case['synthetic']:
            image = named_weights.make_photo(case['file'][0], case['width'], case['height'], kit['seed'])
            yield case, arrays, pack(np.asarray(image), box), 2e-5
        else:
            path = shared('data/refcoco_family/photos/images') / case['file']
            results = LoadImage()({'img_path': str(path)})
            yield case, arrays, pack(results['img'], box), 0.04


@pytest.mark.parity
@pytest.mark.parametrize('name', ['transvg', 'vltvg'])
def test_canvases_and_boxes_equal_those_of_the_authors(name):
    seen = 0
    for case, arrays, (inputs, sample), tolerance in kit_cases(name):
        canvas = GroundingDataPreprocessor()({'inputs': [inputs], 'data_samples': [sample]})['batch'].pixels[0].numpy()
        expected = arrays[next(key for key in arrays.files if case['key'] in key and 'image' in key)]
        assert np.abs(canvas[:, ::16, ::16] - expected).max() <= tolerance, case['key']
        assert canvas.mean(axis=(1, 2)) == pytest.approx(case['image_mean'], abs=max(tolerance, 1e-4))
        target = sample.gt_instances.bboxes[0]
        box = transvg_target(target, sample.ori_shape, sample.canvas) if name == 'transvg' else sample.canvas.to_canvas(target)
        assert box.tolist() == pytest.approx(case['box_canvas'], abs=1e-6), case['key']
        seen += 1
    assert seen >= 6


def test_a_sample_says_which_part_of_which_data_it_shows(tmp_path):
    image = write_photo(tmp_path / 'a.png')
    _, sample = pack(image, (4.5, 5.25, 20.0, 25.5), size=64, distractors=np.array([[1.0, 2.0, 3.0, 4.0]]),
                     distractor_index=np.array([5]), data_hash='abc', objects_hash='def')
    assert sample.crop_window == (0, 0, 40, 30) and sample.distractors.index.tolist() == [5]
    assert (sample.data_hash, sample.objects_hash) == ('abc', 'def')
