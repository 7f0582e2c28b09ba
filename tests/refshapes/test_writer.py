import hashlib
import json
import pickle

import cv2
import numpy as np
import pytest

from mmduet.refshapes.generator import make_example
from mmduet.refshapes.scene import SHAPES
from mmduet.refshapes.writer import STANDARD_COUNTS, Recipe, write_official_layout

COUNTS = {'train': 105, 'val': 2, 'testA': 2, 'testB': 2, 'heldout': 2}


@pytest.fixture(scope='module')
def layout(tmp_path_factory):
    out = tmp_path_factory.mktemp('refshapes')
    written = write_official_layout(out, COUNTS, Recipe(expressions=2))
    instances = json.loads((out / 'instances.json').read_text())
    with (out / 'refs(unc).p').open('rb') as file:
        refs = pickle.load(file)
    return out, written, instances, refs


def test_every_reference_has_the_fields_of_the_official_files(layout):
    _, _, instances, refs = layout
    annotations = {item['id']: item for item in instances['annotations']}
    images = {item['id']: item for item in instances['images']}
    assert len(refs) == len({ref['ref_id'] for ref in refs}) == 113
    for ref in refs:
        assert list(ref) == ['ref_id', 'ann_id', 'category_id', 'image_id', 'file_name', 'split', 'sent_ids', 'sentences']
        annotation, image = annotations[ref['ann_id']], images[ref['image_id']]
        assert (annotation['image_id'], annotation['category_id']) == (ref['image_id'], ref['category_id'])
        assert ref['file_name'] == image['file_name'].replace('.png', f'_{ref["ann_id"]}.png')
        assert ref['sent_ids'] == [sentence['sent_id'] for sentence in ref['sentences']]
        for sentence in ref['sentences']:
            assert sentence['sent'] == sentence['raw'] == ' '.join(sentence['tokens'])
            assert sentence['kind'] in ('attribute', 'superlative', 'relation')


def test_annotations_are_valid_coco(layout):
    _, _, instances, _ = layout
    assert [category['name'] for category in instances['categories']] == list(SHAPES)
    assert [category['id'] for category in instances['categories']] == list(range(1, 9))
    assert len({item['id'] for item in instances['annotations']}) == len(instances['annotations'])
    for item in instances['annotations']:
        x, y, width, height = item['bbox']
        assert min(x, y) >= 0
        assert max(x + width, y + height) <= 64
        assert item['area'] == width * height > 80


def test_references_and_images_are_those_of_the_generator(layout):
    out, _, instances, refs = layout
    example = make_example(0, 'testB', 1)
    ref = refs[-3]
    assert ref['split'] == 'testB'
    assert ref['sentences'][0]['sent'] == example.expressions[0].text
    x, y, width, height = next(item['bbox'] for item in instances['annotations'] if item['id'] == ref['ann_id'])
    assert (x, y, x + width, y + height) == example.scene.referent.box
    image = cv2.imread(str(out / 'images' / 'refshapes_testB_000001.png'))
    assert np.array_equal(image[:, :, ::-1], example.image)


def test_written_expressions_are_counted(layout):
    _, written, _, refs = layout
    sentences = written['sentences']
    assert sentences['val'] == sentences['testA'] == sentences['testB'] == sentences['heldout'] == 2
    assert sentences['train'] == sum(len(ref['sentences']) for ref in refs if ref['split'] == 'train') == 210


def test_two_workers_write_what_one_writes(layout, tmp_path):
    out, _, _, _ = layout
    write_official_layout(tmp_path, COUNTS, Recipe(expressions=2), workers=2)
    files = sorted(path.relative_to(out) for path in out.rglob('*') if path.is_file())
    assert len(files) == 116
    assert all((tmp_path / file).read_bytes() == (out / file).read_bytes() for file in files)


# Of data that figures are reported on: a change here changes every figure.
LITERAL = {
    'easy': '3e05423e4a6e5fa2b28853ba5a075f48e98df129e7d32b282e5ff6b196944481',
    'standard': '18a6cfa30934246ba32b2b41b10fdf7f073c68f2e4ae8ca7713dbf336da17ebe',
    'hard': 'b2fe57d54be00d9ffcbfe81268a05338a9dcbbe189ab55684909572fdd7af63b',
    'parts': '9c48077191c612874866db0e7f513cd962005efc36429f790744b10ae508bb0e',
}


@pytest.mark.parametrize('level', list(LITERAL))
def test_every_byte_of_the_first_scenes_is_the_same_everywhere(tmp_path, level):
    counts = {'train': 20, 'val': 10, 'testA': 10, 'testB': 10, 'heldout': 10}
    assert write_official_layout(tmp_path, counts, Recipe(level=level))['sha256'] == LITERAL[level]


def test_the_hash_is_that_of_the_list_that_sha256sum_prints(layout):
    out, written, _, _ = layout
    files = sorted([*out.glob('images/*'), out / 'instances.json', out / 'refs(unc).p'], key=str)
    lines = [f'{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(out).as_posix()}\n' for path in files]
    assert hashlib.sha256(''.join(lines).encode()).hexdigest() == written['sha256']
    assert json.loads((out / 'manifest.json').read_text()) == written


def test_a_smaller_request_is_a_prefix_of_a_larger_one(layout, tmp_path):
    out, _, instances, refs = layout
    write_official_layout(tmp_path, {'val': 1, 'train': 2}, Recipe(expressions=2))
    fewer = json.loads((tmp_path / 'instances.json').read_text())
    for name in ('images', 'annotations'):
        assert [item for item in fewer[name] if item not in instances[name]] == []
    with (tmp_path / 'refs(unc).p').open('rb') as file:
        few = pickle.load(file)
    assert [ref['split'] for ref in few] == ['val', 'train', 'train']
    assert all(ref in refs for ref in few)
    for path in tmp_path.glob('images/*'):
        assert path.read_bytes() == (out / 'images' / path.name).read_bytes()


def test_a_folder_whose_writing_broke_off_has_no_annotations(layout, tmp_path):
    write_official_layout(tmp_path, {'val': 1})
    (tmp_path / 'images/refshapes_val_000001.png').mkdir()
    with pytest.raises(OSError, match='refshapes_val_000001'):
        write_official_layout(tmp_path, {'val': 2})
    assert [path.name for path in tmp_path.iterdir()] == ['images']


def test_the_standard_set_has_32000_expressions_to_train_on():
    assert STANDARD_COUNTS == {'train': 32000, 'val': 5000, 'testA': 5000, 'testB': 5000, 'heldout': 5000}


@pytest.mark.parametrize(('counts', 'recipe', 'message'), [
    ({'testC': 1}, Recipe(), r"not \['testC'\]"),
    ({'val': -1}, Recipe(), 'up to 1000000 scenes'),
    ({'val': 1}, Recipe(expressions=17), '1 to 16 expressions'),
    ({'val': 1}, Recipe(expressions=6, targets=3), '6 of 3 targets'),
    ({'val': 1}, Recipe(expressions=-1, targets=-1), '-1 of -1 targets'),
    ({'val': 1}, Recipe(level='harder'), "not 'harder'"),
])
def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path, counts, recipe, message):
    with pytest.raises(ValueError, match=message):
        write_official_layout(tmp_path / 'out', counts, recipe)
    assert not (tmp_path / 'out').exists()
