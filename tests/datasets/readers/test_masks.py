import json
import re

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmduet.datasets.readers import find_dataset
from mmduet.datasets.readers.masks import corners_of_coco, corners_of_mask
from mmduet.io.errors import DataError
from tests.shared_data import shared
from tests.tiny_data import write_lines, write_official
from tests.tiny_sources import write_mdetr

# Three columns of an image of 8 x 6 pixels: x from 3 to 5, y from 2 to 4.
RUNS = [20, 3, 3, 3, 3, 3, 13]
COLUMNS = (3.0, 2.0, 6.0, 5.0)


def compressed(mask):
    return {'size': list(mask.shape), 'counts': coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))['counts'].decode()}


def test_the_box_of_polygons_is_the_extent_of_all_their_corners():
    assert corners_of_mask([[1, 2.5, 5, 2.5, 5, 4]], 'here', (8, 6)) == (1, 2.5, 5, 4)
    assert corners_of_mask([[1, 2, 5, 2, 5, 4], [6, 0.25, 7, 1, 6, 1]], 'here', (0, 0)) == (1, 0.25, 7, 4)


@pytest.mark.parametrize('size', [(8, 6), (0, 0)])
def test_the_box_of_run_lengths_holds_their_pixels_whole(size):
    assert corners_of_mask({'size': [6, 8], 'counts': RUNS}, 'here', size) == COLUMNS
    mask = np.zeros((6, 8))
    mask[2:5, 3:6] = 1
    assert corners_of_mask(compressed(mask), 'here', size) == COLUMNS
    assert corners_of_mask(compressed(np.ones((6, 8))), 'here', size) == (0, 0, 8, 6)


def test_a_mask_of_two_parts_has_one_box():
    mask = np.zeros((6, 8))
    mask[0, 1] = mask[4, 6] = 1
    assert corners_of_mask(compressed(mask), 'here', (8, 6)) == (1, 0, 7, 5)


@pytest.mark.parametrize(('segmentation', 'message'), [
    ([], 'must be polygons or run lengths'), (None, 'must be polygons or run lengths'), ('d03', 'must be polygons'),
    ([[1, 2, 3, 4]], 'a polygon'), ([[1, 2, 3, 4, 5, 6, 7]], 'a polygon'), ([[1, 2, 3, 4, 5, float('nan')]], 'a polygon'),
    ([[1, 2, 3, 4, 5, '6']], 'a polygon'), ([1, 2, 3, 4, 5, 6], 'a polygon'),
    ({'counts': RUNS}, r'size \[height, width\], got None'), ({'size': [0, 8], 'counts': []}, r'size \[height, width\]'),
    ({'size': [2**16, 2**16], 'counts': '0'}, r'size \[height, width\]'), ({'size': [8, 6], 'counts': RUNS}, r'6 x 8 pixels'),
    ({'size': [6, 8], 'counts': [20, 3]}, 'sum to 6 x 8'), ({'size': [6, 8], 'counts': [-1, 49]}, 'whole numbers'),
    ({'size': [6, 8], 'counts': [48]}, 'show no object'), ({'size': [6, 8]}, 'compressed by COCO, got None'),
    ({'size': [6, 8], 'counts': ''}, 'compressed by COCO'), ({'size': [6, 8], 'counts': 'd0~'}, 'compressed by COCO'),
    ({'size': [6, 8], 'counts': 'd0P'}, 'compressed by COCO'), ({'size': [6, 8], 'counts': '000'}, 'do not fit'),
])
def test_a_mask_that_is_none_is_refused_with_its_place(segmentation, message):
    with pytest.raises(DataError, match=f'file:7.*{message}'):
        corners_of_mask(segmentation, 'file:7', (8, 6))


def test_a_box_goes_before_a_mask_and_an_object_with_neither_is_named():
    both = {'bbox': [1, 2, 3, 4], 'segmentation': [[0, 0, 9, 0, 9, 9]]}
    assert corners_of_coco(both, 'here', (0, 0)) == (1, 2, 4, 6)
    with pytest.raises(DataError, match="here: field 'bbox' is missing"):
        corners_of_coco({}, 'here', (0, 0))


def test_an_object_of_the_official_layout_may_have_a_mask_and_no_box(tmp_path):
    write_official(tmp_path)
    path = tmp_path / 'instances.json'
    content = json.loads(path.read_text())
    del content['annotations'][0]['bbox']
    content['annotations'][0]['segmentation'] = [[4, 5, 14.5, 5, 14.5, 25]]
    path.write_text(json.dumps(content))
    data = find_dataset('refcoco_unc').read(tmp_path)
    assert data.annotations[0].box == data.images[5].boxes[0] == (4, 5, 14.5, 25)
    content['annotations'][0]['segmentation'] = {'size': [6, 8], 'counts': RUNS}
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r'instances\.json: annotation 100: .* of 8 x 6 pixels, the image has 40 x 30'):
        find_dataset('refcoco_unc').read(tmp_path)


def test_an_expression_of_mdetrs_files_may_have_a_mask_and_no_box(tmp_path):
    write_mdetr(tmp_path)
    path = sorted(tmp_path.rglob('*_val.json'))[0]
    content = json.loads(path.read_text())
    del content['annotations'][0]['bbox']
    content['annotations'][0]['segmentation'] = [[1, 2, 5, 2, 5, 4]]
    path.write_text(json.dumps(content))
    data = find_dataset('refcoco_unc').read(path)
    assert data.annotations[0].box == (1, 2, 5, 4)


def test_a_line_of_ones_own_data_may_have_a_mask_and_no_box(tmp_path):
    line = {'image': 'a.jpg', 'expression': 'cup', 'split': 'val'}
    path = write_lines(tmp_path / 'mine.jsonl', [
        {**line, 'segmentation': [[1, 2, 5, 2, 5, 4]]}, {**line, 'segmentation': {'size': [6, 8], 'counts': RUNS}}])
    assert [a.box for a in find_dataset('own').read(path).annotations] == [(1, 2, 5, 4), COLUMNS]
    write_lines(path, [{**line, 'box': [1, 2, 3, 4]}, {**line, 'segmentation': [[1, 2]]}])
    with pytest.raises(DataError, match=re.escape(f'{path}:2: a polygon of the segmentation must be')):
        find_dataset('own').read(path)


def test_the_real_polygons_have_the_real_boxes():
    path = shared('data/refcoco_family/official_layout/refcoco/instances.json')
    records = json.loads(path.read_text())['annotations'][::100]
    assert len(records) == 76
    for record in records:
        assert corners_of_mask(record['segmentation'], 'here', (0, 0)) == pytest.approx(corners_of_coco(record, 'here', (0, 0)))
