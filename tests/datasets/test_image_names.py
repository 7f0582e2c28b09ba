import unicodedata

import pytest

from mmduet.datasets.image_names import ImageIndex, image_file_names, image_id_of, image_id_of_coco, is_of_coco, same_image
from mmduet.datasets.readers.source_data import SourceData
from mmduet.io.errors import DataError
from tests.tiny_data import write_photo

NFD, NFC = (unicodedata.normalize(form, 'café.jpg') for form in ('NFD', 'NFC'))


@pytest.fixture
def folder(tmp_path):
    names = ('kitchen/01.jpg', 'IMG_1.JPG', NFD, 'a/b/c/deep.jpg', 'my photo.jpg', 'COCO/000000000025.jpg')
    for number, name in enumerate(names):
        write_photo(tmp_path / 'x.png', seed=number)
        (tmp_path / 'photos' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'x.png').rename(tmp_path / 'photos' / name)
    return tmp_path / 'photos'


@pytest.mark.parametrize(('name', 'path'), [
    ('kitchen/01.jpg', 'kitchen/01.jpg'), ('kitchen\\01.jpg', 'kitchen/01.jpg'), ('./kitchen//01.jpg', 'kitchen/01.jpg'),
    ('photos/kitchen/01.jpg', 'kitchen/01.jpg'), ('C:\\Users\\me\\photos\\kitchen\\01.jpg', 'kitchen/01.jpg'),
    (' kitchen/01.jpg ', 'kitchen/01.jpg'), ('IMG_1.jpg', 'IMG_1.JPG'), ('Kitchen/01.JPG', 'kitchen/01.jpg'), (NFC, NFD),
    ('deep.jpg', 'a/b/c/deep.jpg'), ('my%20photo.jpg', 'my photo.jpg'), ('other/01.jpg', None), ('/etc/passwd', None),
    ('../photos/IMG_1.JPG', 'IMG_1.JPG'), ('gone.jpg', None)])
def test_a_name_of_another_system_means_the_one_file_it_fits(folder, name, path):
    assert ImageIndex(folder).find(name) == path


def test_an_absolute_name_in_the_folder_is_that_file(folder):
    assert ImageIndex(folder).find(f'{folder}/kitchen/01.jpg') == 'kitchen/01.jpg'


def test_a_bare_name_of_two_different_files_is_refused_and_of_two_copies_is_not(tmp_path):
    for seed, place in ((0, 'full'), (1, 'thumbs')):
        write_photo(tmp_path / place / 'x.png', seed=seed)
    with pytest.raises(DataError, match=r'x\.png is ambiguous: full/x\.png and thumbs/x\.png'):
        ImageIndex(tmp_path).find('x.png')
    with pytest.raises(DataError, match='is ambiguous'):
        ImageIndex(tmp_path).find('X.PNG')
    assert ImageIndex(tmp_path).find('thumbs/x.png') == 'thumbs/x.png'
    write_photo(tmp_path / 'thumbs' / 'x.png', seed=0)
    assert ImageIndex(tmp_path).find('x.png') == 'full/x.png'
    write_photo(tmp_path / 'x.png', seed=5)
    assert ImageIndex(tmp_path).find('x.png') == 'x.png'


def test_files_that_differ_in_capitals_alone_stay_apart(tmp_path):
    write_photo(tmp_path / 'a.png', seed=0)
    write_photo(tmp_path / 'A.png', seed=1)
    index = ImageIndex(tmp_path)
    assert (index.find('a.png'), index.find('A.png')) == ('a.png', 'A.png')


def test_what_systems_leave_beside_photos_is_passed_over(tmp_path):
    for name in ('a.png', '._a.png', '.DS_Store', 'Thumbs.db', '__MACOSX/a.png', '.hidden/b.png'):
        write_photo(tmp_path / 'x.png')
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / 'x.png').rename(tmp_path / name)
    assert list(ImageIndex(tmp_path).paths) == ['a.png']


def test_links_that_lead_in_circles_end(tmp_path):
    write_photo(tmp_path / 'in/a.png')
    (tmp_path / 'in/out').symlink_to(tmp_path)
    assert ImageIndex(tmp_path).find('a.png') == 'in/a.png'


def test_a_missing_file_gets_the_nearest_and_neighbouring_numbers_are_none(folder):
    index = ImageIndex(folder)
    assert index.nearest('kitchen/IMG_1.png') == '; nearest: IMG_1.JPG'
    assert index.nearest('my fotos.jpg') == '; nearest: my photo.jpg'
    assert index.nearest('COCO_train2014_000000000026.jpg') == ''
    with pytest.raises(DataError, match=r'image folder .*nowhere does not exist'):
        ImageIndex(folder / 'nowhere')


def test_twelve_digits_are_of_coco_in_folders_of_coco_alone():
    assert [is_of_coco(name) for name in ('000000000025.jpg', 'val2017/000000000025.jpg', 'site/000000000025.jpg',
                                          'site/COCO_val2014_000000000025.jpg')] == [True, True, False, True]
    assert (image_id_of('a/7.jpg'), image_id_of_coco('a/7.jpg')) == (7, 'a/7.jpg')
    assert image_id_of_coco('val2017/000000000025.jpg') == 25
    assert image_file_names('x/COCO_val2014_000000000025.jpg')[1:] == ('COCO_val2014_000000000025.jpg', '000000000025.jpg')
    assert not same_image('COCO_train2014_000000000025.jpg', 'COCO_val2014_000000000025.jpg')


def test_one_number_in_two_folders_is_two_images_and_one_id_of_two_is_an_error():
    data = SourceData()
    assert [data.add_image(name) for name in ('a/7.jpg', 'b/7.jpg', 'a/7.jpg', 'b\\7.jpg')] == [7, 'b/7.jpg', 7, 'b/7.jpg']
    assert data.add_image('train2017/000000000025.jpg') == data.add_image('COCO_train2014_000000000025.jpg') == 25
    with pytest.raises(DataError, match=r'two images have the id 7: a/7\.jpg and c\.jpg'):
        data.add_image('c.jpg', image_id='7')
