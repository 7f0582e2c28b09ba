import json
import shutil

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from mmduet.datasets import (
    JointDataset,
    PackGroundingInputs,
    PlaceOnCanvas,
    RandomFlip,
    RandomTargetCrop,
    ResizeLongSide,
)
from mmduet.datasets.decoded_images import list_images, write_decoded_images
from mmduet.datasets.transforms.shared_view import run_pipeline
from mmduet.models import batching
from mmduet.structures import Canvas, TargetIdentity
from tests.tiny_grounder import make_data_root
from tests.tiny_transvg import make_sample

# An image of 100 x 50 px.
WHOLE = Canvas(size=64, left=0, top=4, width=50, height=25, scale_x=0.5, scale_y=0.5)
LARGER = Canvas(size=64, left=7, top=9, width=55, height=28, scale_x=0.55, scale_y=0.56)
BOX, MIRRORED, OTHER = (10.0, 10.0, 30.0, 40.0), (70.0, 10.0, 90.0, 40.0), (60.0, 5.0, 90.0, 25.0)


def flipped(sample):
    sample.set_metainfo({'flip': True})
    return sample


def with_others(sample, *boxes, index=None):
    sample.distractors = InstanceData(bboxes=torch.tensor(boxes).reshape(-1, 4))
    if index is not None:
        sample.distractors.index = torch.tensor(index)
    return sample


def images_of(*values):
    return [torch.full((3, 25, 50), value, dtype=torch.uint8) for value in values]


def same(*samples):
    return TargetIdentity(**batching.identify(samples)).same(0.5)


def named(*names):
    return [make_sample(name, WHOLE, BOX, key=name) for name in names]


def test_expressions_whose_image_is_one_tensor_share_it():
    first, second = images_of(1, 2)
    canvases, index, owners = batching.find_images([first, second, first, first], named(*'abaa'), None)
    assert (index, owners) == ([0, 1, 0, 0], [0, 1]) and canvases.shape == (2, 3, 64, 64)
    assert canvases[:, 0, 4, 0].tolist() == [1, 2] and canvases[0].float().sum() == 3 * 25 * 50


def test_equal_images_that_nobody_declared_one_are_not_compared():
    assert batching.find_images(images_of(1, 1), named('a', 'a'), None)[1:] == ([0, 1], [0, 1])


def test_a_declared_index_says_which_image_an_expression_is_about():
    assert batching.find_images(images_of(1, 2), named(*'abb'), [0, 1, 1])[1:] == ([0, 1, 1], [0, 1])
    drawn = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    canvases, index, owners = batching.find_images(drawn, named(*'aba'), [0, 1, 0])
    assert canvases is drawn and (index, owners) == ([0, 1, 0], [0, 1])
    assert batching.find_images(drawn, named('a', 'b'), None)[1:] == ([0, 1], [0, 1])


@pytest.mark.parametrize('drawn', [False, True])
def test_images_come_in_the_order_in_which_expressions_name_them(drawn):
    images = torch.stack([torch.full((3, 64, 64), value, dtype=torch.uint8) for value in (1, 2)]) if drawn else images_of(1, 2)
    canvases, index, owners = batching.find_images(images, named(*'bab'), [1, 0, 1])
    assert (index, owners) == ([0, 1, 0], [0, 1]) and canvases[:, 0, 4, 0].tolist() == [2, 1]
    for order in ([1, 0], torch.tensor([1, 0])):
        canvases, index, owners = batching.find_images(images, named(*'ba'), order)
        assert (index, owners) == ([0, 1], [0, 1]) and canvases[:, 0, 4, 0].tolist() == [2, 1]


@pytest.mark.parametrize('index', [[0, 1], [0, 0, 0], [0, 2, 1], [-1, 0, 1], None])
def test_an_index_that_does_not_fit_is_refused(index):
    with pytest.raises(ValueError, match=r'2 images and the index .* do not fit 3 expressions'):
        batching.find_images(images_of(1, 2), named(*'abc'), index)


def test_targets_are_one_by_image_and_box():
    one, two, none = torch.tensor([[0.1, 0.2, 0.3, 0.4]]), torch.tensor([[0.1, 0.2, 0.3, 0.5]]), torch.zeros(0, 4)
    found = batching.find_targets([one, two, one, one.clone(), none, none], [0, 0, 1, 0, 0, 1])
    assert found['first_of_target'].tolist() == [0, 1, 2, 4, 5] and found['target_index'].tolist() == [0, 1, 2, 0, 3, 4]
    assert batching.find_targets([one, two, one], [0, 0, 1]) == batching.find_targets([], []) == {}


def test_targets_and_other_boxes_land_on_the_canvas_by_one_conversion_each(monkeypatch):
    calls = []
    real = Canvas.to_canvas
    monkeypatch.setattr(Canvas, 'to_canvas', lambda self, boxes: calls.append(len(boxes)) or real(self, boxes))
    samples = [with_others(make_sample('a', WHOLE, BOX), OTHER), make_sample('b', WHOLE, BOX)]
    targets, others = batching.place_boxes(samples, required=True)
    assert calls == [2, 1]
    torch.testing.assert_close(targets[0], torch.tensor([[10.0, 16.5, 10.0, 15.0]]) / 64)
    torch.testing.assert_close(others[0], torch.tensor([[37.5, 11.5, 15.0, 10.0]]) / 64)
    assert others[1].shape == (0, 4)


def test_a_target_is_required_in_training_alone():
    sample = make_sample('the red cup', WHOLE, BOX, key='7')
    del sample.gt_instances
    assert batching.place_boxes([sample], required=False)[0][0].shape == (0, 4)
    with pytest.raises(ValueError, match=r"expression '7' \('the red cup'\) has no target box to train with"):
        batching.place_boxes([sample], required=True)


def test_other_boxes_of_an_image_are_those_of_its_expressions():
    one, two, three = (torch.tensor([[value, value, 0.1, 0.1]]) for value in (0.1, 0.2, 0.3))
    samples = [with_others(make_sample('a', WHOLE, BOX), OTHER, OTHER, index=[4, 5]),
               with_others(make_sample('b', WHOLE, BOX), OTHER),
               with_others(make_sample('c', WHOLE, BOX), OTHER, OTHER)]
    rows, has, listed = batching.group_others([torch.cat([one, two]), torch.cat([three]), torch.cat([two, three])], samples,
                                              owner=[0, 0, 1], images=2)
    assert [row[:, 0].tolist() for row in rows] == [pytest.approx([0.1, 0.2, 0.3]), pytest.approx([0.2, 0.3])]
    assert has.tolist() == [[True, True, False], [False, False, True], [True, True, False]]
    assert listed == [((0, 4), (1, 5)), ((2, 0), ), ((0, 0), (1, 1))]


def test_an_expression_numbers_its_own_objects_whatever_columns_they_have():
    numbers = batching.number_others([((0, 4), (1, 5)), ((2, 0), (0, 1)), ()], columns=3)
    assert numbers.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_two_objects_in_the_same_box_of_an_image_stay_two():
    box = torch.tensor([[0.1, 0.1, 0.1, 0.1]] * 2)
    rows, has, _ = batching.group_others([box], [with_others(make_sample('a', WHOLE, BOX), OTHER, OTHER)], [0], 1)
    assert rows[0].shape == (2, 4) and has.tolist() == [[True, True]]


def test_one_target_is_recognised_in_another_scale_and_mirrored():
    pairs = same(make_sample('a', WHOLE, BOX), make_sample('b', LARGER, BOX), flipped(make_sample('c', LARGER, MIRRORED)),
                 make_sample('d', WHOLE, OTHER))
    assert pairs.tolist() == [[True, True, True, False], [True, True, True, False], [True, True, True, False],
                              [False, False, False, True]]


def of_file(path):
    sample = make_sample('a', WHOLE, BOX)
    sample.set_metainfo({'img_path': str(path)})
    return sample


def test_an_image_is_its_file_by_whatever_path_and_equal_names_in_two_folders_are_two_images(tmp_path):
    for folder in ('coco', 'flickr'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / '1.jpg').touch()
    (tmp_path / 'link').symlink_to(tmp_path / 'coco')
    pairs = same(of_file(tmp_path / 'coco/1.jpg'), of_file(tmp_path / 'link/1.jpg'), of_file(tmp_path / 'flickr/../coco/1.jpg'),
                 of_file(tmp_path / 'flickr/1.jpg'))
    assert pairs.tolist() == torch.block_diag(torch.ones(3, 3), torch.ones(1, 1)).bool().tolist()


def test_one_object_of_two_data_sets_over_the_same_images_is_one_in_joint_training(tmp_path):
    first = make_data_root(tmp_path / 'refcoco', count=3, splits=('train', ))
    second = tmp_path / 'refcocoplus'
    shutil.copytree(first / 'annotations', second / 'annotations')
    (second / 'manifest.json').write_text(json.dumps(dict(dataset='other', images='../refcoco/images')))
    pipeline = [dict(type='mmduet.LoadImage'), dict(type='mmduet.ResizeLongSide', sides=[32]),
                dict(type='mmduet.PlaceOnCanvas', size=32), dict(type='mmduet.PackGroundingInputs')]
    joint = JointDataset([dict(type='mmduet.GroundingDataset', data_root=root, splits=['train'], pipeline=pipeline)
                          for root in (first, second)])
    samples = [joint[index]['data_samples'] for index in range(6)]
    assert len({sample.dataset_name for sample in samples}) == 2
    assert same(*samples).tolist() == torch.eye(3).repeat(2, 2).bool().tolist()


@pytest.mark.parametrize(('name', 'dataset', 'shared'), [
    ('COCO_train2014_{:012}.png', 'refcoco_unc', False), ('COCO_train2014_{:012}.jpg', 'refcoco_unc', True),
    ('{:012}.jpg', 'refcoco_unc', True), ('COCO_train2014_{:012}.jpg', 'own', False), ('{}.jpg', 'refcoco_unc', False)])
def test_an_image_of_coco_is_one_in_copies_archives_and_releases_and_any_other_is_its_file(tmp_path, name, dataset, shared):
    def rename(folder, name, dataset):
        root = make_data_root(folder, count=3, splits=('train', ))
        path = root / 'annotations/train.jsonl'
        for number in range(3):
            old, new = f'train_{number}.png', name.format(number + 5)
            (root / 'images' / old).rename(root / 'images' / new)
            path.write_text(path.read_text().replace(f'"{old}"', f'"{new}"'))
        (root / 'manifest.json').write_text(json.dumps(dict(dataset=dataset, images='images')))
        return root

    roots = [rename(tmp_path / 'first', 'COCO_train2014_{:012}.jpg', 'refcocoplus_unc'), rename(tmp_path / 'b', name, dataset)]
    decoded = [tmp_path / 'first.zip', tmp_path / 'second.zip']
    for root, out in zip(roots, decoded, strict=True):
        list(write_decoded_images(list_images([root]), out))
    pipeline = [dict(type='mmduet.LoadImage'), dict(type='mmduet.ResizeLongSide', sides=[32]),
                dict(type='mmduet.PlaceOnCanvas', size=32), dict(type='mmduet.PackGroundingInputs')]
    for folders in (decoded, [decoded[0], 'images']):
        joint = JointDataset([dict(type='mmduet.GroundingDataset', data_root=root, splits=['train'], pipeline=pipeline,
                                   image_dir=folder) for root, folder in zip(roots, folders, strict=True)])
        found = same(*(joint[index]['data_samples'] for index in range(6)))
        assert found.tolist() == (torch.eye(3).repeat(2, 2) if shared else torch.eye(6)).bool().tolist()


def test_a_crop_may_show_the_same_target_so_it_counts_as_the_same():
    crop = make_sample('b', Canvas(size=64, left=0, top=0, width=20, height=20, scale_x=0.5, scale_y=0.5), OTHER)
    crop.set_metainfo({'ori_shape': (50, 100)})
    assert same(make_sample('a', WHOLE, BOX), crop, make_sample('c', WHOLE, OTHER)).tolist() == [
        [True, True, False], [True, True, True], [False, True, True]]


def test_boxes_in_one_crop_are_compared_and_those_of_two_crops_are_not():
    canvas = Canvas(size=64, left=0, top=0, width=20, height=20, scale_x=0.5, scale_y=0.5)

    def cropped(name, box, window):
        sample = make_sample(name, canvas, box)
        sample.set_metainfo({'ori_shape': (50, 100), 'crop_window': window})
        return sample

    here, there = (0, 0, 40, 40), (10, 0, 50, 40)
    near, far = (0.0, 0.0, 10.0, 10.0), (25.0, 25.0, 40.0, 40.0)
    assert same(cropped('a', near, here), cropped('b', far, here), cropped('c', near, here)).tolist() == [
        [True, False, True], [False, True, False], [True, False, True]]
    assert same(cropped('a', near, here), cropped('b', far, there)).all()
    mirrored = flipped(cropped('c', (30.0, 0.0, 40.0, 10.0), here))
    assert same(cropped('a', near, here), mirrored).all()


def test_two_crops_by_a_transform_that_leaves_the_window_as_it_was_are_not_compared():
    canvas = Canvas(size=64, left=0, top=0, width=20, height=20, scale_x=0.5, scale_y=0.5)
    samples = [make_sample('a', canvas, (0.0, 0.0, 10.0, 10.0)), make_sample('b', canvas, (25.0, 25.0, 40.0, 40.0))]
    for sample in samples:
        sample.set_metainfo({'ori_shape': (50, 100), 'crop_window': (0, 0, 100, 50)})
    assert same(*samples).all() and batching.identify(samples)['view'].tolist() == [0, 0]


def test_expressions_that_share_a_crop_keep_their_negatives():
    def view(seed):
        image = np.zeros((480, 640, 3), np.uint8)
        boxes = [np.array(box, float) for box in ((200, 200, 260, 260), (205, 200, 265, 262), (400, 300, 440, 350))]
        own = [{'text': 'a cup', 'box': box} for box in boxes]
        results = {'img': image, 'image_shape': (480, 640), 'ori_shape': (480, 640), 'crop_window': (0, 0, 640, 480),
                   'flip': False, 'img_path': 'a.jpg', 'rng': np.random.default_rng(seed), **own[0], 'companions': own[1:]}
        end = [RandomFlip(prob=0.5), ResizeLongSide([64]), PlaceOnCanvas(size=64), PackGroundingInputs()]
        return [item['data_samples'] for item in run_pipeline(results, [RandomTargetCrop(prob=1, tries=60), *end])]

    groups = [view(seed) for seed in (3, 4, 5, 6)]
    windows = [group[0].crop_window for group in groups]
    assert len(set(windows)) == 4 and (0, 0, 640, 480) not in windows and {group[0].flip for group in groups} == {True, False}
    expected = torch.ones(4, 3, 4, 3, dtype=torch.bool)  # boxes of two crops are not compared
    for number in range(4):
        expected[number, :, number] = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    assert torch.equal(same(*(sample for group in groups for sample in group)), expected.view(12, 12))


def test_boxes_of_an_identity_are_in_the_frame_of_the_image():
    identity = TargetIdentity(**batching.identify([make_sample('a', WHOLE, BOX), flipped(make_sample('b', WHOLE, MIRRORED))]))
    expected = torch.tensor([0.2, 0.5, 0.2, 0.6])
    assert torch.allclose(identity.boxes, expected.expand(2, 4)) and identity.whole.all()


def test_numbers_of_images_do_not_depend_on_the_process():
    assert batching.identify([of_file('/images/COCO_1.jpg')])['image'].tolist() == [6778691489760001712]


def test_a_number_that_a_worker_has_looked_up_is_taken(monkeypatch):
    sample = of_file('/images/COCO_1.jpg')
    sample.set_metainfo({'image_number': 7})
    monkeypatch.setattr('os.path.realpath', None)  # a file system is not asked in the training's process
    assert batching.identify([sample])['image'].tolist() == [7]


def test_an_expression_without_a_target_is_the_same_as_any_of_its_image():
    sample = make_sample('b', WHOLE, BOX)
    del sample.gt_instances
    assert same(make_sample('a', WHOLE, BOX), sample).all()


def test_a_view_is_the_part_of_the_image_that_is_shown_mirrored_with_it():
    sample = make_sample('a', WHOLE, BOX)
    sample.set_metainfo({'crop_window': (10, 5, 40, 25)})
    assert batching.view_of(sample).window == pytest.approx((0.1, 0.1, 0.4, 0.5))
    assert batching.view_of(flipped(sample)).window == pytest.approx((0.6, 0.1, 0.9, 0.5))


def test_a_source_tells_a_cache_what_to_look_for():
    sample = make_sample('a', WHOLE, BOX, key='7')
    sample.set_metainfo({'dataset_name': 'tiny', 'split': 'val', 'data_hash': 'abc', 'objects_hash': 'def'})
    source = batching.source_of(sample, ((0, 3), ))
    assert (source.dataset, source.split, source.expression_id, source.data_hash, source.objects_hash, source.others) == (
        'tiny', 'val', '7', 'abc', 'def', ((0, 3), ))
    assert batching.source_of(make_sample('a', WHOLE, BOX), ()).dataset is None
