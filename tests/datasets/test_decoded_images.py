import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from mmduet.datasets import GroundingDataset, LoadImage
from mmduet.datasets.decoded_images import list_images, write_decoded_images
from mmduet.io.errors import DataError, ImageError
from tests.tiny_grounder import make_data_root

LOAD = [dict(type=LoadImage)]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('decoded') / 'data', count=3)


def test_each_image_of_the_splits_is_named_once_with_its_size(root):
    assert list_images([root], ['train']).sizes == {f'train_{number}.png': (40, 30) for number in range(3)}
    images = list_images([root, root])
    assert (images.folder, len(images.sizes), images.decoded_bytes) == ((root / 'images').resolve(), 6, 6 * 3 * 40 * 30)


def test_a_dataset_reads_the_same_pixels_out_of_it(root, tmp_path):
    out = tmp_path / 'made/decoded.zip'
    images = list_images([root], ['train'])
    assert list(write_decoded_images(images, out)) == sorted(images.sizes)
    assert out.stat().st_size > images.decoded_bytes
    items = [[dataset[index]['img'] for index in range(3)] for dataset in (
        GroundingDataset(root, ['train'], LOAD), GroundingDataset(root, ['train'], LOAD, image_dir=out))]
    assert all(np.array_equal(file, stored) for file, stored in zip(*items, strict=True))
    assert items[1][0].flags.writeable, 'a transform may change what it was given'


def test_the_same_images_make_the_same_file(root, tmp_path):
    for name in ('a.zip', 'b.zip'):
        list(write_decoded_images(list_images([root]), tmp_path / name))
    assert (tmp_path / 'a.zip').read_bytes() == (tmp_path / 'b.zip').read_bytes()
    with zipfile.ZipFile(tmp_path / 'a.zip') as archive:
        assert archive.testzip() is None


def test_names_that_could_mean_two_images_are_refused(root, tmp_path):
    other = make_data_root(tmp_path / 'other', count=1)
    with pytest.raises(DataError, match=r'has its images in .*other/images, and the data root before it in .*data/images'):
        list_images([root, other])
    with pytest.raises(DataError, match=r"has no split 'testA', only train, val"):
        list_images([root], ['testA'])
    with pytest.raises(DataError, match='no data root is named'):
        list_images([])


@pytest.mark.parametrize(('damage', 'message'), [
    (lambda path: path.write_bytes(b''), r'train_1.png is empty'),
    (lambda path: Image.new('RGB', (30, 40)).save(path), r'train_1.png is 30 x 40 pixels, its annotation says 40 x 30')])
def test_a_broken_image_leaves_the_old_file(tmp_path, damage, message):
    root = make_data_root(tmp_path / 'data', count=2, splits=('train', ))
    out = tmp_path / 'decoded.zip'
    out.write_bytes(b'old')
    damage(root / 'images/train_1.png')
    with pytest.raises(ImageError, match=message):
        list(write_decoded_images(list_images([root]), out))
    assert out.read_bytes() == b'old' and sorted(path.name for path in tmp_path.iterdir()) == ['data', 'decoded.zip']


def test_a_disk_without_room_is_seen_before_anything_is_decoded(root, tmp_path):
    # The annotations say how large an image is: one of 10^6 x 10^6 pixels fits on no disk.
    large = tmp_path / 'large'
    (large / 'annotations').mkdir(parents=True)
    (large / 'manifest.json').write_text(json.dumps({'dataset': 'tiny', 'images': str(root / 'images')}))
    line = json.loads((root / 'annotations/train.jsonl').read_text().splitlines()[0])
    (large / 'annotations/train.jsonl').write_text(json.dumps({**line, 'width': 10**6, 'height': 10**6}) + '\n')
    with pytest.raises(OSError, match='No space left on device') as error:
        next(write_decoded_images(list_images([large]), tmp_path / 'decoded.zip'))
    assert error.value.filename == str(tmp_path / 'decoded.zip') and not (tmp_path / 'decoded.zip').exists()
