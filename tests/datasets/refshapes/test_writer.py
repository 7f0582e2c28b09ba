import json
import pickle

import cv2
import numpy as np
import pytest

from mmduet.datasets.refshapes.generator import make_example
from mmduet.datasets.refshapes.scene import SHAPES
from mmduet.datasets.refshapes.writer import write_official_layout

COUNTS = {'train': 6, 'val': 2, 'testA': 2, 'testB': 2}


@pytest.fixture(scope='module')
def layout(tmp_path_factory):
    out = tmp_path_factory.mktemp('refshapes')
    written = write_official_layout(out, COUNTS, seed=0, expressions=2)
    instances = json.loads((out / 'instances.json').read_text())
    with (out / 'refs(unc).p').open('rb') as file:
        refs = pickle.load(file)
    return out, written, instances, refs


def test_every_reference_has_the_fields_of_the_official_files(layout):
    _, _, instances, refs = layout
    annotations = {item['id']: item for item in instances['annotations']}
    images = {item['id']: item for item in instances['images']}
    assert len(refs) == len({ref['ref_id'] for ref in refs}) == 12
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


def test_references_and_pictures_are_those_of_the_generator(layout):
    out, _, instances, refs = layout
    example = make_example(0, 'testB', 1)
    ref = refs[-1]
    assert ref['split'] == 'testB'
    assert ref['sentences'][0]['sent'] == example.expressions[0].text
    x, y, width, height = next(item['bbox'] for item in instances['annotations'] if item['id'] == ref['ann_id'])
    assert (x, y, x + width, y + height) == example.scene.referent.box
    image = cv2.imread(str(out / 'images' / 'refshapes_testB_000001.png'))
    assert np.array_equal(image[:, :, ::-1], example.image)


def test_written_expressions_are_counted(layout):
    _, written, _, refs = layout
    assert written['val'] == written['testA'] == written['testB'] == 2
    assert written['train'] == sum(len(ref['sentences']) for ref in refs if ref['split'] == 'train') == 12


def test_two_workers_write_what_one_writes(layout, tmp_path):
    out, _, _, _ = layout
    write_official_layout(tmp_path, COUNTS, seed=0, expressions=2, workers=2)
    files = sorted(path.relative_to(out) for path in out.rglob('*') if path.is_file())
    assert len(files) == 14
    assert all((tmp_path / file).read_bytes() == (out / file).read_bytes() for file in files)


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not 'testC'"):
        write_official_layout(tmp_path, {'testC': 1})
