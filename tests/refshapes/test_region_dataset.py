import pytest
import torch

from mmduet.refshapes.generator import make_example
from mmduet.refshapes.region_dataset import RefShapesRegionDataset, region_prompts


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


def test_scenes_of_a_level_are_described_with_their_parts():
    dataset = RefShapesRegionDataset(20, split='region_val', level='parts')
    for index in range(20):
        sample, example = dataset[index]['data_samples'], make_example(100, 'region_val', index, level='parts')
        corners = torch.from_numpy(example.scene.boxes(1))
        assert torch.allclose(sample.boxes[:, 2:], corners[:, 2:] - corners[:, :2], atol=1e-6)
    assert any(' of the ' in phrase for index in range(20) for phrase in dataset[index]['data_samples'].phrases)
    with pytest.raises(ValueError, match="easy, standard, hard, parts, not 'harder'"):
        RefShapesRegionDataset(1, level='harder')


def test_a_training_item_crops_one_jittered_object_and_is_the_same_every_time():
    dataset = RefShapesRegionDataset(50, crops=1, jitter=0.25)
    for index in range(50):
        sample = dataset[index]['data_samples']
        box, crop = sample.boxes[sample.cropped[0]], sample.crop_boxes[0]
        assert (crop[:2] - box[:2]).abs().max() <= 0.125 * box[2] + 1e-6
        assert 0.75 - 1e-5 <= float(crop[2] / box[2]) <= 1.25 + 1e-5
        assert torch.equal(dataset[index]['data_samples'].crop_boxes, sample.crop_boxes)


def test_a_mirrored_scene_has_its_boxes_on_the_other_side_and_its_sides_exchanged():
    upright = RefShapesRegionDataset(60, crops=1, jitter=0.25)
    mirror = RefShapesRegionDataset(60, crops=1, jitter=0.25, mirror=1)
    sides = {'left': 'right', 'right': 'left', 'leftmost': 'rightmost', 'rightmost': 'leftmost'}
    exchanged = 0
    for index in range(60):
        before, after = upright[index], mirror[index]
        assert torch.equal(before['inputs'].flip(2), after['inputs'])
        old, new = before['data_samples'], after['data_samples']
        for name in ('boxes', 'crop_boxes'):
            first, second = getattr(old, name), getattr(new, name)
            assert torch.equal(second[:, 0], 1 - first[:, 0])
            assert torch.equal(second[:, 1:], first[:, 1:])
        for first, second in zip((*old.phrases, old.expression), (*new.phrases, new.expression), strict=True):
            assert [sides.get(word, word) for word in first.split()] == second.split()
        exchanged += old.expression != new.expression
        assert (old.caption, old.kind, old.target) == (new.caption, new.kind, new.target)
        assert torch.equal(old.labels, new.labels)
    assert exchanged > 10


def test_half_of_the_scenes_are_mirrored_and_the_others_are_as_without():
    upright = RefShapesRegionDataset(200, crops=1, jitter=0.25)
    half = RefShapesRegionDataset(200, crops=1, jitter=0.25, mirror=0.5)
    same = sum(torch.equal(upright[index]['data_samples'].crop_boxes, half[index]['data_samples'].crop_boxes)
               for index in range(200))
    assert 75 < same < 125


def test_about_six_in_ten_targets_are_named_by_their_expression():
    dataset = RefShapesRegionDataset(300)
    samples = [dataset[index]['data_samples'] for index in range(300)]
    named = sum(sample.phrases[sample.target] == sample.expression for sample in samples)
    assert 160 < named < 200


def test_it_ends_where_it_says():
    dataset = RefShapesRegionDataset(2)
    assert len(list(dataset)) == len(dataset) == 2


@pytest.mark.parametrize('wrong', [{'length': 0}, {'crops': -1}, {'jitter': 1.0}, {'expression_rate': 2.0},
                                   {'mirror': 1.5}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match='needs length >= 1'):
        RefShapesRegionDataset(**{'length': 1, **wrong})


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="not 'regions'"):
        RefShapesRegionDataset(1, split='regions')
