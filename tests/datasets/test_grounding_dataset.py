import logging

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader

from mmduet.datasets import (
    AnnotationError,
    ColorJitter,
    DataError,
    GroundingDataset,
    ImageError,
    LoadImage,
    PackGroundingInputs,
    PlaceOnCanvas,
    RandomFlip,
    ResizeLongSide,
    grounding_collate,
)
from mmduet.datasets.grounding_dataset import clip_box
from tests.tiny_data import line, make_data_root, write_lines

TEST_PIPELINE = [dict(type=LoadImage), dict(type=ResizeLongSide, sides=[64]), dict(type=PlaceOnCanvas, size=64),
                 dict(type=PackGroundingInputs)]
TRAIN_PIPELINE = [dict(type=LoadImage), dict(type=ResizeLongSide, sides=[64, 56, 48]), dict(type=ColorJitter),
                  dict(type=RandomFlip), dict(type=PlaceOnCanvas, size=64, random=True), dict(type=PackGroundingInputs)]


def build(root, splits=('train', ), pipeline=TEST_PIPELINE, **options):
    return GroundingDataset(root, list(splits), pipeline, **options)


def messages_of(build_dataset, caplog):
    logger = MMLogger.get_instance('dataset_test')
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.WARNING):
            build_dataset()
    finally:
        logger.removeHandler(caplog.handler)
    return [record.getMessage() for record in caplog.records]


def test_one_item_per_expression_with_words_box_and_ids(tmp_path):
    dataset = build(make_data_root(tmp_path), splits=['train', 'val'])
    assert len(dataset) == 2
    sample = dataset[1]['data_samples']
    assert (sample.text, sample.expression_id, sample.split, sample.dataset_name) == ('the cup', '2', 'val', 'tiny')
    assert (sample.img_path, sample.img_id, sample.ori_shape) == (str(tmp_path / 'images' / 'a.png'), 1, (30, 40))
    torch.testing.assert_close(sample.gt_instances.bboxes, torch.tensor([[4.5, 5.25, 20.0, 25.5]]))
    assert tuple(dataset[0]['inputs'].shape) == (3, 48, 64)
    assert dataset.metainfo == {'dataset_name': 'tiny', 'splits': ['train', 'val']}


def test_a_split_that_is_not_there_is_named_with_those_that_are_and_the_flags(tmp_path):
    with pytest.raises(DataError, match=r"has no split 'testA', only train, val: choose with --splits, or in training with "
                                        r'--train-splits, --val-splits and --test-splits$'):
        build(make_data_root(tmp_path, objects=[]), splits=['train', 'testA'])


@pytest.mark.parametrize('splits', ['train', []])
def test_splits_must_be_a_list(tmp_path, splits):
    with pytest.raises(DataError, match='splits must be a list of names'):
        GroundingDataset(make_data_root(tmp_path), splits, TEST_PIPELINE)


def test_a_folder_without_manifest_says_how_to_make_one(tmp_path):
    with pytest.raises(DataError, match=r'is no data root: it has no manifest\.json; make one with mmduet prepare'):
        build(tmp_path / 'nothing')


def test_a_broken_manifest_is_named(tmp_path):
    (make_data_root(tmp_path) / 'manifest.json').write_text('{"dataset": "tiny"}')
    with pytest.raises(DataError, match=r"manifest\.json is not a manifest .*'images'"):
        build(tmp_path)


def test_a_wrong_line_is_named_when_the_dataset_is_built(tmp_path):
    write_lines(make_data_root(tmp_path) / 'annotations' / 'train.jsonl', [line(), line(expression_id='2', expression='  ')])
    with pytest.raises(AnnotationError, match=r"train\.jsonl:2: field 'expression' is blank"):
        build(tmp_path)


@pytest.mark.parametrize('content', [b'', b'\x89PNG broken', None])
def test_a_bad_image_raises_with_file_and_expression_and_is_not_replaced(tmp_path, content):
    image = make_data_root(tmp_path, [line(), line(expression_id='2', image='b.png')]) / 'images' / 'b.png'
    if content is not None:
        image.write_bytes(content)
    dataset = build(tmp_path)
    assert dataset[0]['data_samples'].expression_id == '1'
    with pytest.raises(ImageError, match=r'b\.png .*\(expression 2 of split train\)'):
        dataset[1]


def test_another_image_folder_may_be_named(tmp_path):
    root = make_data_root(tmp_path / 'root')
    (root / 'images').rename(tmp_path / 'images')
    assert build(root, image_dir=tmp_path / 'images')[0]['data_samples'].img_path == str(tmp_path / 'images' / 'a.png')


def test_training_clips_odd_boxes_and_counts_them_once(tmp_path, caplog):
    records = [line(), line(expression_id='2', box=[-3, 5, 50, 29]), line(expression_id='3', box=[8, 8, 8, 12])]
    root = make_data_root(tmp_path, records)
    datasets = []
    messages = messages_of(lambda: datasets.append(build(root)), caplog)
    assert [m for m in messages if 'boxes' in m] == [
        f'{root}: 2 of 3 boxes have no area or stick out of their image and were clipped for training (expressions 2, 3)']
    boxes = [datasets[0][i]['data_samples'].gt_instances.bboxes[0].tolist() for i in range(3)]
    assert boxes == [[4.5, 5.25, 20.0, 25.5], [0.0, 5.0, 40.0, 29.0], [8.0, 8.0, 9.0, 12.0]]


def test_evaluation_keeps_the_official_box_in_silence(tmp_path, caplog):
    root = make_data_root(tmp_path, [line(box=[-3, 5, 50, 29])])
    datasets = []
    messages = messages_of(lambda: datasets.append(build(root, test_mode=True)), caplog)
    assert [m for m in messages if 'boxes' in m] == []
    assert datasets[0][0]['data_samples'].gt_instances.bboxes.tolist() == [[-3, 5, 50, 29]]


@pytest.mark.parametrize(('box', 'clipped'), [
    ((1.5, 2.5, 3.5, 4.5), (1.5, 2.5, 3.5, 4.5)), ((-1.0, -2.0, 41.0, 31.0), (0, 0, 40, 30)),
    ((39.8, 29.9, 39.9, 30.0), (39, 29, 40, 30)), ((50.0, 5.0, 60.0, 9.0), (39, 5, 40, 9)),
    ((-9.0, 5.0, -2.0, 9.0), (0, 5, 1, 9))])
def test_a_clipped_box_lies_in_the_image_and_has_an_area(box, clipped):
    assert clip_box(box, 40, 30) == pytest.approx(clipped)


def test_distractors_are_the_other_objects_of_the_image(tmp_path):
    objects = [{'image_id': 9, 'boxes': [[0, 0, 1, 1]]},
               {'image_id': 1, 'boxes': [[1, 2, 3, 4], [4.5, 5.25, 20.0, 25.5], [5, 6, 7, 8]], 'categories': ['a', 'b', 'c']}]
    root = make_data_root(tmp_path, objects=objects)
    assert build(root)[0]['data_samples'].distractors.bboxes.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert 'distractors' not in build(root, test_mode=True)[0]['data_samples']


def test_an_image_without_listed_objects_has_no_distractors(tmp_path):
    root = make_data_root(tmp_path, objects=[{'image_id': 9, 'boxes': [[0, 0, 1, 1]]}])
    assert tuple(build(root)[0]['data_samples'].distractors.bboxes.shape) == (0, 4)


@pytest.mark.parametrize('record', ['{', '[' * 100_000, {'boxes': []}, *(
    {'image_id': 1, 'boxes': [box]} for box in ([1, 2, 3], [1, 2, float('nan'), 4], [1, 2, 10**400, 4], [5, 2, 3, 4]))])
def test_a_wrong_line_of_objects_is_named(tmp_path, record):
    make_data_root(tmp_path, objects=[{'image_id': 1, 'boxes': []}, record])
    with pytest.raises(AnnotationError, match=r'objects\.jsonl:2: must have image_id and boxes'):
        build(tmp_path)


def digest(item):
    sample = item['data_samples']
    return (int(item['inputs'].long().sum()), sample.canvas, sample.text, sample.flip)


def test_an_item_depends_on_seed_epoch_and_index_alone(tmp_path):
    dataset = build(make_data_root(tmp_path), pipeline=TRAIN_PIPELINE, seed=5)
    first = [digest(dataset[0]) for _ in range(2)]
    assert first[0] == first[1]
    dataset.set_epoch(1)
    second = digest(dataset[0])
    dataset.set_epoch(0)
    dataset.set_seed(6)
    third = digest(dataset[0])
    assert len({first[0], second, third}) == 3
    assert digest(build(tmp_path, pipeline=TRAIN_PIPELINE, seed=6)[0]) == third


def test_persistent_workers_see_the_epoch_change_and_agree_with_one_process(tmp_path):
    records = [line(expression_id=str(k)) for k in range(4)]
    dataset = build(make_data_root(tmp_path, records), pipeline=TRAIN_PIPELINE)
    loader = DataLoader(dataset, batch_size=2, num_workers=1, persistent_workers=True, collate_fn=grounding_collate)
    seen = []
    for epoch in range(2):
        dataset.set_epoch(epoch)
        worker = [digest({'inputs': image, 'data_samples': sample})
                  for batch in loader for image, sample in zip(batch['inputs'], batch['data_samples'], strict=True)]
        assert worker == [digest(dataset[index]) for index in range(4)]
        seen.append(worker)
    assert seen[0] != seen[1]


def test_all_expressions_of_a_reference_are_seen(tmp_path):
    records = [line(expression_id=str(k), expression=text) for k, text in enumerate(['cup', 'left cup', 'white cup'])]
    dataset = build(make_data_root(tmp_path, records))
    assert [dataset.describe(k)['text'] for k in range(3)] == ['cup', 'left cup', 'white cup']


def test_the_description_holds_no_pixels(tmp_path):
    results = build(make_data_root(tmp_path)).describe(0)
    assert 'img' not in results
    np.testing.assert_array_equal(results['box'], [4.5, 5.25, 20.0, 25.5])


def test_a_data_set_of_the_first_expressions_gives_the_same_items(tmp_path):
    root = make_data_root(tmp_path, [line(expression_id=str(k), expression=f'left cup {"abc"[k]}') for k in range(3)])
    pipeline = [dict(type=LoadImage, cache_mb=1), dict(type=RandomFlip, prob=0.5), dict(type=ResizeLongSide, sides=[32]),
                dict(type=PlaceOnCanvas, size=32), dict(type=PackGroundingInputs)]
    whole, part = (GroundingDataset(root, ['train'], pipeline, seed=3, first=first) for first in (None, 2))
    assert (len(whole), len(part)) == (3, 2)
    for index in range(2):
        assert torch.equal(whole[index]['inputs'], part[index]['inputs'])
        assert whole[index]['data_samples'].text == part[index]['data_samples'].text


def test_more_first_expressions_than_there_are_is_refused(tmp_path):
    with pytest.raises(DataError, match='holds 1 expression, fewer than the first 2'):
        GroundingDataset(make_data_root(tmp_path), ['train'], [], first=2)
