import json
import pickle

import pytest

from mmduet.datasets.preparation import count_by_split
from mmduet.datasets.readers import find_dataset
from mmduet.io.errors import DataError
from tests.shared_data import shared
from tests.tiny_data import reference, write_official


def read(folder, name='refcoco_unc'):
    return find_dataset(name).read(folder)


def test_every_sentence_is_an_expression_with_corners_of_its_object(tmp_path):
    data = read(write_official(tmp_path))
    assert [(a.expression_id, a.expression, a.box, a.split, a.ref_id, a.ann_id) for a in data.annotations] == [
        ('0', 'left cup', (4.0, 5.0, 14.5, 25.0), 'train', 0, 100), ('1', 'the cup', (4.0, 5.0, 14.5, 25.0), 'train', 0, 100),
        ('10', 'mug', (20.0, 1.0, 35.0, 10.0), 'train', 1, 101), ('20', 'dog', (0.0, 0.0, 40.0, 30.0), 'val', 2, 102)]
    assert data.annotations[0].category == 'thing'
    assert data.images[5].boxes == [(4.0, 5.0, 14.5, 25.0), (20.0, 1.0, 35.0, 10.0)]


def test_images_go_by_the_name_of_the_2014_and_of_the_2017_release_never_by_that_of_the_reference(tmp_path):
    data = read(write_official(tmp_path))
    assert data.images[5].file_names == ('COCO_train2014_000000000005.jpg', '000000000005.jpg')


def test_a_blank_sentence_is_left_out_by_name(tmp_path):
    data = read(write_official(tmp_path, [reference(0, 5, 'val', ['cup', ' ', '\u200b', 'a\u200b'])]))
    assert len(data.annotations) == 2
    assert data.blank == [f'{tmp_path}/refs(unc).p: reference 0: expression {number} is blank' for number in (1, 2)]


def test_crowds_are_no_distractors(tmp_path):
    write_official(tmp_path)
    content = json.loads((tmp_path / 'instances.json').read_text())
    content['annotations'][1]['iscrowd'] = 1
    (tmp_path / 'instances.json').write_text(json.dumps(content))
    assert len(read(tmp_path).images[5].boxes) == 1


@pytest.mark.parametrize('missing', ['instances.json', 'refs(unc).p'])
def test_a_missing_file_is_named_with_what_is_there(tmp_path, missing):
    (write_official(tmp_path) / missing).unlink()
    with pytest.raises(DataError, match=r'no annotations of refcoco_unc .* holds: (instances\.json|refs)'):
        read(tmp_path)


@pytest.mark.parametrize('field', ['ann_id', 'image_id', 'sentences', 'split', 'ref_id'])
def test_a_reference_without_a_field_is_named(tmp_path, field):
    bad = reference(1, 5, 'train', ['mug'])
    del bad[field]
    write_official(tmp_path, [reference(0, 5, 'train', ['cup']), bad])
    with pytest.raises(DataError, match=rf"refs\(unc\)\.p: reference 1: field '{field}' is missing"):
        read(tmp_path)


def test_a_reference_to_an_unknown_annotation_is_named(tmp_path):
    write_official(tmp_path, [reference(7, 5, 'train', ['cup'])])
    with pytest.raises(DataError, match=r'reference 0: instances\.json has no annotation 107'):
        read(tmp_path)


@pytest.mark.parametrize('bbox', [[1, 2, 3], [1, 2, -3, 4], 'box', None])
def test_a_box_that_is_no_xywh_is_named(tmp_path, bbox):
    write_official(tmp_path)
    content = json.loads((tmp_path / 'instances.json').read_text())
    content['annotations'][1]['bbox'] = bbox
    (tmp_path / 'instances.json').write_text(json.dumps(content))
    with pytest.raises(DataError, match=r'instances\.json: annotation 101: bbox'):
        read(tmp_path)


def test_truncated_json_is_named(tmp_path):
    (write_official(tmp_path) / 'instances.json').write_text('{"images": [')
    with pytest.raises(DataError, match=r'instances\.json: not valid JSON'):
        read(tmp_path)


@pytest.mark.parametrize('content', [{}, [], 'refs'])
def test_a_pickle_that_is_no_list_of_references_is_named(tmp_path, content):
    (write_official(tmp_path) / 'refs(unc).p').write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match='must hold a list of references'):
        read(tmp_path)


@pytest.mark.parametrize(('folder', 'name', 'expressions'), [
    ('refcoco', 'refcoco_unc', {'val': 10834, 'testA': 5657, 'testB': 5095}),
    ('refcoco+', 'refcocoplus_unc', {'val': 10758, 'testA': 5726, 'testB': 4889}),
    ('refcocog', 'refcocog_umd', {'val': 4896, 'test': 9602})])
def test_the_real_files_have_the_published_number_of_expressions(folder, name, expressions):
    data = read(shared(f'data/refcoco_family/official_layout/{folder}'), name)
    assert {split: counts[2] for split, counts in count_by_split(data.annotations).items()} == expressions
    assert all(a.box[2] > a.box[0] and a.box[3] > a.box[1] for a in data.annotations)


def test_the_real_boxes_equal_those_of_another_conversion():
    data = read(shared('data/refcoco_family/official_layout/refcoco'))
    ours = {a.expression_id: a for a in data.annotations}
    theirs = [json.loads(text) for text in shared('data/refcoco_family/val_test/REC_refcoco_unc_testB.jsonl').open()]
    for record in theirs[::50]:
        annotation = ours[str(record['sent_id'])]
        assert annotation.expression == ' '.join(record['expression'].split())
        assert annotation.box == pytest.approx(record['bbox'], abs=1e-6)
        assert (annotation.width, annotation.height) == (record['width'], record['height'])


def test_the_kind_of_an_expression_is_kept_where_the_source_says_it(tmp_path):
    said = reference(0, 5, 'val', ['left cup', 'cup'])
    said['sentences'][0]['kind'] = 'relation'
    assert [a.kind for a in read(write_official(tmp_path, [said])).annotations] == ['relation', None]
