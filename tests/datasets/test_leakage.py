import json

import pytest

from mmduet.datasets.leakage import (
    evaluation_images,
    evaluation_splits,
    find_overlaps,
    image_key,
    images_of,
    read_seen_ids,
    training_images,
)
from mmduet.datasets.preparation import PreparedData, count_by_split, write_data_root
from mmduet.datasets.readers import find_dataset
from mmduet.io.errors import DataError
from tests.shared_data import shared
from tests.tiny_data import line, make_data_root


def coco(number, split, release=2014, expression_id='1'):
    name = f'COCO_train2014_{number:012d}.jpg' if release == 2014 else f'train2017/{number:012d}.jpg'
    return line(image=name, image_id=number, split=split, expression_id=expression_id)


@pytest.fixture
def roots(tmp_path):
    """Two data sets of COCO images; image 2 is in the training split of the first and in test of the second."""
    first = make_data_root(tmp_path / 'first', [coco(1, 'train'), coco(2, 'train', expression_id='2'), coco(3, 'val')])
    second = make_data_root(tmp_path / 'second', [coco(4, 'train', 2017), coco(3, 'train', 2017, '2'), coco(2, 'test', 2017),
                                                  coco(2, 'test', 2017, '2'), coco(9, 'test', 2017, '3')])
    return first, second


def test_an_image_is_the_same_under_the_names_of_both_releases():
    assert image_key(25, 'COCO_train2014_000000000025.jpg', 'coco') == image_key('x', 'val2017/000000000025.jpg', 'own')
    assert image_key(25, '25.jpg', 'iaprtc12') == ('iaprtc12', 25)


def test_overlap_of_training_with_the_test_of_another_data_set_is_counted_with_its_place(roots):
    first, second = roots
    overlaps = find_overlaps({'first:train': set(images_of(first, ['train'])['train'])}, [first, second])
    assert [(o.split, o.images, o.all_images, o.expressions, o.all_expressions) for o in overlaps] == [
        ('val', 0, 1, 0, 1), ('test', 1, 2, 2, 3)]
    assert overlaps[1].examples == (f'train2017/000000000002.jpg ({second}/annotations/test.jsonl:1)', )


def test_joint_training_is_clean_once_evaluation_images_are_excluded(roots):
    parts = [{'data_root': str(root), 'splits': ['train']} for root in roots]
    leaky = training_images({'datasets': parts})
    assert sum(overlap.images for overlap in find_overlaps(leaky, roots)) == 2
    clean = training_images({'datasets': parts, 'exclude': [{'data_root': str(root)} for root in roots]})
    assert sum(overlap.images for overlap in find_overlaps(clean, roots)) == 0
    assert [len(keys) for keys in clean.values()] == [1, 1]


def test_only_the_named_splits_are_excluded(roots):
    assert evaluation_images([{'data_root': roots[1], 'splits': ['train']}]) == {('coco', 4), ('coco', 3)}
    with pytest.raises(DataError, match="has no split 'testA', only test, train"):
        evaluation_images([{'data_root': roots[1], 'splits': ['testA']}])


@pytest.mark.parametrize(('name', 'text'), [
    ('ids.txt', '2\n3\n'), ('ids.txt', 'COCO_train2014_000000000002.jpg\n000000000003.jpg\n'), ('ids.json', '[2, "3"]'),
    ('ids.json', json.dumps({'images': [{'id': 2}, {'id': 3}]}))])
def test_a_list_of_images_that_a_backbone_saw_is_read_in_every_form(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_seen_ids(tmp_path / name) == {('coco', 2), ('coco', 3)}


@pytest.mark.parametrize(('text', 'message'), [('', 'is no list'), ('{}', 'is no list'), ('[1.5]', 'entry 1 is no image id'),
                                               ('[]', 'names no image')])
def test_a_list_that_is_none_is_named(tmp_path, text, message):
    (tmp_path / 'ids.json').write_text(text)
    with pytest.raises(DataError, match=rf'ids\.json.*{message}|names no image'):
        read_seen_ids(tmp_path / 'ids.json')


def test_real_images_of_refcoco_val_are_in_refcocog_test(tmp_path):
    family = shared('data/refcoco_family/val_test')
    roots = []
    for name in ('refcoco_unc', 'refcocog_umd'):
        source = find_dataset(name).read(family)
        prepared = PreparedData(annotations=source.annotations, counts=count_by_split(source.annotations),
                                source_counts={}, missing=[], broken=[], odd_boxes=[])
        roots.append(tmp_path / name)
        write_data_root(roots[-1], name, prepared, source, tmp_path)
    overlaps = find_overlaps({'val': set(images_of(roots[0], ['val'])['val'])}, [roots[1]])
    assert {(o.split, o.images, o.all_images) for o in overlaps} == {('test', 123, 2600), ('val', 62, 1300)}


def test_expressions_without_target_are_evaluated_and_a_photo_of_a_camera_is_none_of_coco(tmp_path):
    records = [line(split=split, expression_id=str(k), image='site/000000000025.jpg', image_id='site/000000000025.jpg')
               for k, split in enumerate(('train', 'val', 'absent', 'heldout'))]
    assert evaluation_splits(make_data_root(tmp_path, records)) == ['absent', 'heldout', 'val']
    key, = images_of(tmp_path, ['val'])['val']
    assert key == ('tiny', 'site/000000000025.jpg')
