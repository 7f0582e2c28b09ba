import json
from dataclasses import replace

import pytest
from PIL import Image

from mmduet.datasets.annotation_file import parse_annotation
from mmduet.datasets.checking import Finding, Line, check_counts, check_data_root
from mmduet.io.errors import DataError
from tests.tiny_data import line, make_data_root, write_lines, write_photo


def kinds(root, **options):
    return {finding.kind: finding for finding in check_data_root(root, **options)}


def good(**changes):
    return line(**{'image': 'a.png', **changes})


def write_root(root, records):
    root = make_data_root(root, [good(), good(expression_id='2', expression='mug', box=[1, 1, 5, 5])])
    for split in {record['split'] for record in records if isinstance(record, dict)}:
        own = [record for record in records if not isinstance(record, dict) or record['split'] == split]
        write_lines(root / 'annotations' / f'{split}.jsonl', own)
    return root


def test_good_data_have_no_finding(tmp_path):
    assert check_data_root(make_data_root(tmp_path, [good()])) == []


def test_a_line_that_cannot_be_read_is_named_and_the_rest_is_checked(tmp_path):
    found = kinds(write_root(tmp_path, [good(), '{"truncated": ', good(expression_id='3', box=[1, 1, 1, 9])]))
    where = f'{tmp_path}/annotations/train.jsonl'
    bad = found['lines that cannot be read']
    assert bad.where == f'{where}:2'
    assert bad.message.startswith('not valid JSON')
    box = found['boxes without area or outside their image']
    assert (box.where, box.expression_id, box.fatal) == (f'{where}:3', '3', True)
    assert 'a.png: box [1.0, 1.0, 1.0, 9.0] has no area' in str(box)


def test_a_box_that_sticks_out_is_worth_a_note_and_one_that_misses_is_an_error(tmp_path):
    found = kinds(write_root(tmp_path, [good(box=[30, 2, 44, 9]), good(expression_id='2', expression='x', box=[50, 2, 60, 9])]))
    assert not found['boxes that stick out of their image'].fatal
    assert found['boxes without area or outside their image'].expression_id == '2'


def test_repeated_ids_and_lines_of_another_split_are_errors(tmp_path):
    root = write_root(tmp_path, [good(), good(expression='other')])
    assert kinds(root)['expression ids that repeat'].message == 'line 1 has the same id'
    (root / 'annotations' / 'train.jsonl').rename(root / 'annotations' / 'val.jsonl')
    assert 'its split is train, the file is that of val' in str(kinds(root)['lines in the wrong file'])


def test_expressions_said_twice_or_of_two_boxes_are_notes_with_both_places(tmp_path):
    found = kinds(write_root(tmp_path, [good(), good(expression_id='2', expression='LEFT cup'),
                                        good(expression_id='3', box=[0, 0, 5, 5])]))
    assert 'said of this box by expression 1' in found['expressions said twice of a box'].message
    other = found['expressions said of several boxes of an image']
    assert (other.expression_id, other.fatal) == ('3', False)
    assert 'train.jsonl:1' in other.message


def test_an_image_of_two_splits_is_an_error_except_where_the_makers_wanted_it(tmp_path):
    root = write_root(tmp_path, [good(), good(split='val', expression_id='9')])
    found = kinds(root)['images of several splits']
    assert found.fatal
    assert found.where.endswith('val.jsonl:1')
    assert 'image a.png is also in split train' in found.message
    manifest = json.loads((root / 'manifest.json').read_text()) | {'dataset': 'refcocog_google'}
    (root / 'manifest.json').write_text(json.dumps(manifest))
    assert not kinds(root)['images of several splits'].fatal


def test_counts_are_compared_with_the_published_ones_and_with_the_manifest(tmp_path):
    root = write_root(tmp_path, [good()])
    splits = {'train': {'images': 1, 'references': 1, 'expressions': 2}}
    manifest = {'dataset': 'refcoco_unc', 'images': 'images', 'splits': splits}
    (root / 'manifest.json').write_text(json.dumps(manifest))
    messages = [str(finding) for finding in check_data_root(root)]
    assert any('train has 1 expression, published are 120,624 (-120,623)' in message for message in messages)
    assert any('testB has 0 images, published are 750 (-750)' in message for message in messages)
    assert any('train has 1 / 1 / 1' in message and 'the manifest says 1 / 1 / 2' in message for message in messages)
    assert not any('testB' in str(finding) for finding in check_data_root(root, splits=('train', )))


def test_missing_broken_and_resized_images_are_named_by_file_line_and_id(tmp_path):
    root = write_root(tmp_path, [good(), good(expression_id='2', image='b.png', image_id=2),
                                 good(expression_id='3', image='c.png', image_id=3),
                                 good(expression_id='4', image='d.png', image_id=4)])
    write_photo(root / 'images' / 'b.png')
    whole = (root / 'images' / 'b.png').read_bytes()
    (root / 'images' / 'b.png').write_bytes(whole[:len(whole) // 2])
    write_photo(root / 'images' / 'd.png', width=30)
    calls = []
    found = check_data_root(root, progress=lambda done, total: calls.append((done, total)))
    assert {(finding.kind, finding.expression_id) for finding in found} == {
        ('images that are missing', '3'), ('images that cannot be used', '2'), ('images that cannot be used', '4')}
    assert any('d.png is 30 x 30 pixels, its annotation says 40 x 30' in str(finding) for finding in found)
    assert calls[-1] == (3, 3)


def test_images_under_the_other_release_of_coco_are_pointed_to(tmp_path):
    root = write_root(tmp_path, [good(image='COCO_train2014_000000000005.jpg', image_id=5)])
    (root / 'images' / 'train2017').mkdir()
    Image.new('RGB', (40, 30)).save(root / 'images' / 'train2017' / '000000000005.jpg')
    assert 'it is there as train2017/000000000005.jpg' in kinds(root)['images that are missing'].message


def test_errors_come_before_notes(tmp_path):
    root = write_root(tmp_path, [good(), good(expression_id='2'), good(expression_id='2')])
    assert [finding.fatal for finding in check_data_root(root)] == sorted(
        (finding.fatal for finding in check_data_root(root)), reverse=True)
    assert str(Finding(kind='k', where='f:1', message='m')) == 'f:1: m'


@pytest.mark.parametrize('text', ['', '[]', '{"dataset": "x"}'])
def test_a_folder_without_a_manifest_is_no_data_root(tmp_path, text):
    (tmp_path / 'manifest.json').write_text(text)
    with pytest.raises(DataError, match='is no data root'):
        check_data_root(tmp_path)


@pytest.mark.parametrize(('expressions', 'found'), [
    (85474, []), (85473, ['train has 85,473 expressions, published are 85,474 (-1)'])])
def test_the_counts_of_a_training_split_are_compared_one_by_one(tmp_path, expressions, found):
    """The counts of RefCOCOg's google train, the largest with references, on lines that are otherwise alike."""
    annotation = parse_annotation(json.dumps(line()), 'x')
    lines = [Line(where='x', annotation=replace(annotation, image_id=number % 24698, ref_id=number % 44822))
             for number in range(expressions)]
    findings = check_counts(tmp_path / 'manifest.json', {'dataset': 'refcocog_google'}, lines, ['train'])
    assert [finding.message for finding in findings] == found


def test_the_nine_expressions_that_referits_query_files_hold_more_are_listed_as_a_difference(tmp_path):
    annotation = parse_annotation(json.dumps(line(split='test')), 'x')
    lines = [Line(where='x', annotation=replace(annotation, image_id=number % 9994, ref_id=number % 49730))
             for number in range(60105)]
    found, = check_counts(tmp_path / 'manifest.json', {'dataset': 'referit', 'layout': 'referit'}, lines, ['test'])
    assert found.message == 'test has 60,105 expressions as all files of this layout, published are 60,103 (+2)'
    assert not found.fatal
    fewer, = check_counts(tmp_path / 'manifest.json', {'dataset': 'referit', 'layout': 'referit'}, lines[:-1], ['test'])
    assert fewer.fatal
    as_index, = check_counts(tmp_path / 'manifest.json', {'dataset': 'referit', 'layout': 'index'}, lines, ['test'])
    assert (as_index.message, as_index.fatal) == ('test has 60,105 expressions, published are 60,103 (+2)', True)
