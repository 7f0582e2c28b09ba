import pytest

from mmduet.datasets.readers import find_dataset
from mmduet.io.errors import DataError
from tests.shared_data import shared
from tests.tiny_data import write_lines
from tests.tiny_sources import write_shikra

BARE = {'image': 'a/1.jpg', 'expression': 'red  cup', 'split': 'train'}
GOOD = {'image': 'a/1.jpg', 'expression': 'red  cup', 'box': [1, 2, 3.5, 4], 'split': 'train'}


def test_three_fields_are_enough_and_images_of_two_folders_stay_apart(tmp_path):
    path = write_lines(tmp_path / 'val.jsonl', [{**GOOD, 'split': None}, {**GOOD, 'image': 'b/1.jpg'}])
    data = find_dataset('own').read(path)
    assert [(a.expression_id, a.image_id, a.split, a.box) for a in data.annotations] == [
        ('val:1', 'a/1.jpg', 'val', (1, 2, 3.5, 4)), ('val:2', 'b/1.jpg', 'train', (1, 2, 3.5, 4))]
    assert data.annotations[0].expression == 'red cup'


def test_images_of_coco_are_known_by_their_number(tmp_path):
    path = write_lines(tmp_path / 'x.jsonl', [{**GOOD, 'image': 'train2017/000000000025.jpg'}])
    assert find_dataset('own').read(path).annotations[0].image_id == 25


@pytest.mark.parametrize(('line', 'message'), [
    ('{"image": ', 'not valid JSON'), ({'image': 'a.jpg', 'box': [1, 2, 3, 4]}, "field 'expression' is missing"),
    ({**GOOD, 'box': [3, 2, 1, 4]}, 'is it x, y, width, height'), ({**GOOD, 'box': [1, 2, 3]}, 'four numbers'),
    (BARE, "field 'box' is missing$"), ({**BARE, 'bbox': [1, 2, 3, 4]}, "field 'box' is missing, and 'bbox' is not read"),
    ({**BARE, 'boxes': [[1, 2, 3, 4]]}, 'one box of corners x1, y1, x2, y2; of several take the one around all'),
    ({**GOOD, 'expression': 7}, "field 'expression' must be text"), ({**GOOD, 'width': '40'}, 'must be whole numbers')])
def test_a_bad_line_of_own_data_is_named_by_its_number(tmp_path, line, message):
    path = write_lines(tmp_path / 'mine.jsonl', [GOOD, line])
    with pytest.raises(DataError, match=message) as error:
        find_dataset('own').read(path)
    assert 'mine.jsonl:2' in str(error.value) or 'a/1.jpg' in str(error.value)


@pytest.mark.parametrize(('wrong', 'right'), [('expresion', 'expression'), ('Image', 'image'), ('img', 'image'),
                                              ('splits', 'split'), ('segmentations', 'segmentation')])
def test_a_misspelt_key_is_named_with_the_one_that_is_meant(tmp_path, wrong, right):
    record = {name: value for name, value in GOOD.items() if name not in (right, 'box' if right == 'segmentation' else '')}
    path = write_lines(tmp_path / 'mine.jsonl', [GOOD, record | {wrong: 'x'}])
    with pytest.raises(DataError, match=rf"mine\.jsonl:2: field '{wrong}' is not read; nearest: {right}$"):
        find_dataset('own').read(path)


def test_other_keys_that_nobody_reads_are_noted_where_each_is_first(tmp_path):
    mask = {**BARE, 'segmentation': [[1, 1, 9, 1, 9, 9]], 'width': 20, 'height': 20, 'bbox': [1, 1, 8, 8], 'iscrowd': 0}
    documented = {'expression_id': 'e1', 'image_id': 'a/1.jpg', 'category': 'cup', 'ref_id': 1, 'ann_id': 2, 'kind': None}
    path = write_lines(tmp_path / 'val.jsonl', [GOOD | documented, mask, {**GOOD, 'boxes': [], 'iscrowd': 1}])
    data = find_dataset('own').read(path)
    assert data.unread == {name: f'{path}:{line}: {name!r}, here first'
                           for name, line in (('bbox', 2), ('iscrowd', 2), ('boxes', 3))}
    assert data.annotations[1].box == (1, 1, 9, 9)


def test_keys_that_resemble_optional_ones_are_noted_as_they_may_be_of_another_format(tmp_path):
    more = {'category_id': 3, 'split_by': 'unc', 'img_id': 5, 'weight': 0.5}
    path = write_lines(tmp_path / 'val.jsonl', [{name: value for name, value in GOOD.items() if name != 'split'} | more])
    data = find_dataset('own').read(path)
    assert data.annotations[0].split == 'val' and data.annotations[0].category is None
    assert data.unread == {name: f'{path}:1: {name!r}, here first' + (f'; nearest: {near}' if near else '') for name, near in (
        ('category_id', 'category'), ('split_by', ''), ('img_id', 'image_id'), ('weight', 'height'))}


@pytest.mark.parametrize(('line', 'message'), [
    ('{', 'not valid JSON'), ('[1]', 'must be a JSON object'), ('{}', "field 'split'|field 'width'|field 'img_path'"),
    ('{"dataset_name": "jxu124/refcocoplus"}', 'the line is of jxu124/refcocoplus, not of refcoco_unc')])
def test_a_bad_line_of_shikra_is_named_by_its_number(tmp_path, line, message):
    with (write_shikra(tmp_path) / 'REC_refcoco_unc_train.jsonl').open('a') as file:
        file.write(line + '\n')
    with pytest.raises(DataError, match=rf'REC_refcoco_unc_train\.jsonl:3: ({message})'):
        find_dataset('refcoco_unc').read(tmp_path)


def test_a_file_of_two_data_sets_is_refused_instead_of_mixed():
    with pytest.raises(DataError, match=r'annotations\.jsonl:1: the line is of jxu124/refcocoplus'):
        find_dataset('refcoco_unc').read(shared('data/refcoco_family/images/annotations.jsonl'))
