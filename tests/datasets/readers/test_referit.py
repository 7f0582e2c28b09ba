import pytest

from mmduet.datasets.readers import find_dataset
from mmduet.datasets.readers.referit import mask_corners
from mmduet.io.errors import DataError
from tests.tiny_sources import write_json, write_real_games, write_referit


def test_regions_are_references_and_boxes_stay_as_they_are(tmp_path):
    data = find_dataset('referit').read(write_referit(tmp_path))
    first = data.annotations[0]
    assert (first.expression_id, first.ref_id, first.image, first.box) == ('5_1_0', '5_1', '5.jpg', (4, 5, 14, 25))
    assert (first.width, first.height) == (40, 30)


def test_a_region_without_a_box_is_named(tmp_path):
    write_referit(tmp_path)
    write_json(tmp_path / 'referit_bbox.json', {'5_1': [4, 5, 14, 25]})
    with pytest.raises(DataError, match=r'referit_query_val\.json: region 6_2 has neither a box in referit_bbox\.json'):
        find_dataset('referit').read(tmp_path)


@pytest.mark.parametrize(('line', 'message'), [
    ('nonsense', 'must be <image>_<region>.jpg~phrase~x~y'), ('9_1.jpg~cat~1~2', 'image 9 is in no list'),
    ('5_9.jpg~cat~1~2', 'region 5_9 has neither a box in referit_bbox.json nor a mask 5_9.mat')])
def test_a_bad_line_of_the_games_is_named(tmp_path, line, message):
    folder = write_real_games(tmp_path)
    with (folder / 'RealGames.txt').open('a') as file:
        file.write(line + '\n')
    with pytest.raises(DataError, match=f'RealGames.txt:4: {message}'):
        find_dataset('referit').read(folder)


def test_without_lists_of_images_the_splits_are_unknown(tmp_path):
    folder = write_real_games(tmp_path)
    for path in folder.glob('*_imlist.txt'):
        path.unlink()
    with pytest.raises(DataError, match='does not say which images are for training'):
        find_dataset('referit').read(folder)


def test_a_broken_mask_is_named(tmp_path):
    (tmp_path / '5_1.mat').write_bytes(b'no mask')
    with pytest.raises(DataError, match=r'5_1\.mat cannot be read as a matrix'):
        mask_corners(tmp_path / '5_1.mat')
