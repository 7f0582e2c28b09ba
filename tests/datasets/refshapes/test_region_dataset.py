import pytest
import torch

from mmduet.datasets.refshapes.generator import make_example
from mmduet.datasets.refshapes.region_dataset import RefShapesRegionDataset, region_prompts


def test_there_are_80_prompts_by_shape_and_colour():
    prompts = region_prompts()
    assert len(prompts) == 80
    assert prompts[:2] == ('a red circle', 'a green circle')
    assert prompts[-1] == 'a cyan arrow'


def test_a_validation_item_crops_every_object_without_jitter():
    item = RefShapesRegionDataset(4, seed=100, split='region_val')[1]
    sample, example = item['data_samples'], make_example(100, 'region_val', 1)
    assert item['inputs'].shape == (3, 64, 64)
    assert torch.equal(item['inputs'].permute(1, 2, 0), torch.from_numpy(example.image))
    count = len(example.scene.objects)
    assert sample.cropped.tolist() == list(range(count))
    assert torch.equal(sample.crop_boxes, sample.boxes)
    first, target = example.scene.objects[0], example.scene.referent
    assert sample.boxes[0].tolist() == [first.x / 1024, first.y / 1024, first.radius / 512, first.radius / 512]
    assert region_prompts()[int(sample.labels[sample.target])] == f'a {target.colour} {target.shape}'
    assert (sample.expression, sample.kind) == (example.expressions[0].text, example.expressions[0].kind)


def test_a_training_item_crops_one_jittered_object_and_is_the_same_every_time():
    dataset = RefShapesRegionDataset(50, crops=1, jitter=0.25)
    for index in range(50):
        sample = dataset[index]['data_samples']
        box, crop = sample.boxes[sample.cropped[0]], sample.crop_boxes[0]
        assert (crop[:2] - box[:2]).abs().max() <= 0.125 * box[2] + 1e-6
        assert 0.75 - 1e-5 <= float(crop[2] / box[2]) <= 1.25 + 1e-5
        assert torch.equal(dataset[index]['data_samples'].crop_boxes, sample.crop_boxes)


def test_about_six_in_ten_targets_are_named_by_their_expression():
    dataset = RefShapesRegionDataset(300)
    samples = [dataset[index]['data_samples'] for index in range(300)]
    named = sum(sample.phrases[sample.target] == sample.expression for sample in samples)
    assert 160 < named < 200


def test_it_ends_where_it_says():
    dataset = RefShapesRegionDataset(2)
    assert len(list(dataset)) == len(dataset) == 2


@pytest.mark.parametrize('wrong', [{'length': 0}, {'crops': -1}, {'jitter': 1.0}, {'expression_rate': 2.0}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match='needs length >= 1'):
        RefShapesRegionDataset(**{'length': 1, **wrong})


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="not 'regions'"):
        RefShapesRegionDataset(1, split='regions')
