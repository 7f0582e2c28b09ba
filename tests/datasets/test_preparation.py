import json
import os

import pytest
from PIL import Image

from mmduet.datasets import GroundingDataset, LoadImage, PackGroundingInputs, PlaceOnCanvas, ResizeLongSide
from mmduet.datasets.preparation import (
    count_by_split,
    find_odd_boxes,
    match_images,
    open_images,
    prepare,
    sha256_of,
    write_data_root,
)
from mmduet.datasets.readers import find_dataset
from mmduet.io.errors import DataError
from mmduet.io.locks import LockedError, locked, reading
from tests.tiny_data import reference, write_official, write_photo

PIPELINE = [dict(type=LoadImage), dict(type=ResizeLongSide, sides=[64]), dict(type=PlaceOnCanvas, size=64),
            dict(type=PackGroundingInputs)]


def write_jpeg(path, **options):
    write_photo(path.with_suffix('.png'), **options)
    Image.open(path.with_suffix('.png')).save(path)
    path.with_suffix('.png').unlink()


@pytest.fixture
def source(tmp_path):
    return find_dataset('refcoco_unc').read(write_official(tmp_path / 'source'))


@pytest.fixture
def images(tmp_path):
    for image_id in (5, 6):
        write_jpeg(tmp_path / 'images' / f'COCO_train2014_{image_id:012d}.jpg')
    return tmp_path / 'images'


def test_a_prepared_root_is_read_by_the_dataset(tmp_path, source, images):
    write_data_root(tmp_path / 'root', 'refcoco_unc', match_images(source, images), source, images)
    dataset = GroundingDataset(tmp_path / 'root', ['train', 'val'], PIPELINE)
    assert [dataset[k]['data_samples'].text for k in range(4)] == ['left cup', 'the cup', 'mug', 'dog']
    assert dataset[0]['data_samples'].distractors.bboxes.tolist() == [[20, 1, 35, 10]]
    assert dataset.metainfo['dataset_name'] == 'refcoco_unc'


def test_images_of_the_2017_release_are_found_in_sub_folders(tmp_path, source):
    write_jpeg(tmp_path / 'coco' / 'train2017' / '000000000005.jpg')
    write_jpeg(tmp_path / 'coco' / 'val2017' / '000000000006.jpg')
    prepared = match_images(source, tmp_path / 'coco')
    assert {a.image for a in prepared.annotations} == {'train2017/000000000005.jpg', 'val2017/000000000006.jpg'}
    assert prepared.missing == []


def test_a_missing_image_is_named_and_its_expressions_counted(source, images):
    (images / 'COCO_train2014_000000000005.jpg').unlink()
    prepared = match_images(source, images)
    assert prepared.missing == ['COCO_train2014_000000000005.jpg or 000000000005.jpg']
    assert prepared.source_counts == {'train': (1, 2, 3), 'val': (1, 1, 1)}
    assert prepared.counts == {'val': (1, 1, 1)}


def test_checked_images_that_are_broken_or_of_another_size_are_named(source, images):
    first, second = (images / f'COCO_train2014_{k:012d}.jpg' for k in (5, 6))
    first.write_bytes(first.read_bytes()[:300])
    write_jpeg(second, width=30, height=40)
    assert match_images(source, images).broken == []
    prepared = match_images(source, images, check_images=True)
    assert prepared.broken[0].startswith(f'{first} is truncated or broken')
    assert prepared.broken[1] == f'{second} is 30 x 40 pixels, its annotation says 40 x 30'
    assert prepared.annotations == []


@pytest.mark.parametrize('decode', [True, False])
def test_the_size_of_an_image_is_read_or_what_is_wrong_with_it(tmp_path, images, decode):
    good, empty, gone = images / 'COCO_train2014_000000000005.jpg', tmp_path / 'empty.jpg', tmp_path / 'gone.jpg'
    empty.touch()
    first, second, third = open_images([(path, (0, 0)) for path in (good, empty, gone)], decode, workers=1)
    assert (first, second) == ((40, 30), f'{empty} is empty (zero bytes)')
    assert str(gone) in third


def test_odd_boxes_are_named_once_per_box(tmp_path):
    folder = write_official(tmp_path, [reference(0, 5, 'val', ['a', 'b']), reference(1, 5, 'val', ['c'])])
    content = json.loads((folder / 'instances.json').read_text())
    content['annotations'][0]['bbox'] = [30, 5, 20, 5]
    content['annotations'][1]['bbox'] = [3, 5, 0, 5]
    (folder / 'instances.json').write_text(json.dumps(content))
    assert find_odd_boxes(find_dataset('refcoco_unc').read(folder).annotations) == [
        'COCO_train2014_000000000005.jpg: box [30.0, 5.0, 50.0, 10.0] sticks out of its image of 40 x 30',
        'COCO_train2014_000000000005.jpg: box [3.0, 5.0, 3.0, 10.0] has no area']


def test_nothing_is_written_where_no_image_is_there(tmp_path, source):
    (tmp_path / 'none').mkdir()
    with pytest.raises(DataError, match='none of the images of refcoco_unc is in'):
        write_data_root(tmp_path / 'root', 'refcoco_unc', match_images(source, tmp_path / 'none'), source, tmp_path / 'none')
    assert not (tmp_path / 'root').exists()


def test_preparing_again_replaces_annotations_and_leaves_the_rest(tmp_path, source, images):
    root = tmp_path / 'root'
    write_data_root(root, 'first', match_images(source, images), source, images)
    (root / 'notes.txt').write_text('mine')
    (images / 'COCO_train2014_000000000006.jpg').unlink()
    write_data_root(root, 'second', match_images(source, images), source, images)
    assert sorted(p.name for p in root.iterdir()) == ['annotations', 'manifest.json', 'notes.txt']
    assert sorted(p.name for p in (root / 'annotations').iterdir()) == ['.lock', 'objects.jsonl', 'train.jsonl']
    assert json.loads((root / 'manifest.json').read_text())['dataset'] == 'second'


def test_splits_that_were_not_asked_for_and_annotations_of_ones_own_are_not_taken_away(tmp_path, source, images):
    root = tmp_path / 'root'
    write_data_root(root, 'first', match_images(source, images), source, images)
    (root / 'annotations/mine.jsonl').write_text('{}')
    before = {path.name: path.read_bytes() for path in (root / 'annotations').glob('*.jsonl')}
    kept = [split for split in json.loads((root / 'manifest.json').read_text())['splits'] if split != 'train']
    (images / 'COCO_train2014_000000000006.jpg').unlink()
    with pytest.raises(DataError, match=f'{root} holds {", ".join(kept)} too, which would be gone: prepare all splits at once'):
        write_data_root(root, 'first', match_images(source, images), source, images, some=True)
    assert {path.name: path.read_bytes() for path in (root / 'annotations').glob('*.jsonl')} == before
    write_data_root(root, 'first', match_images(source, images), source, images)
    names = sorted(path.name for path in (root / 'annotations').glob('*.jsonl'))
    assert names == ['mine.jsonl', 'objects.jsonl', 'train.jsonl']


def test_a_manifest_takes_away_nothing_outside_its_folder(tmp_path, source, images):
    root, other = tmp_path / 'root', tmp_path / 'other.jsonl'
    write_data_root(root, 'first', match_images(source, images), source, images)
    other.write_text('mine')
    manifest = json.loads((root / 'manifest.json').read_text())
    manifest['splits'].update({'../../other': {}, str(other.with_suffix('')): {}})
    (root / 'manifest.json').write_text(json.dumps(manifest))
    write_data_root(root, 'first', match_images(source, images), source, images)
    assert other.read_text() == 'mine'


def test_annotations_of_unknown_origin_are_not_replaced(tmp_path, source, images):
    (tmp_path / 'annotations').mkdir()
    with pytest.raises(DataError, match=r'has no manifest\.json, so this tool did not make it'):
        write_data_root(tmp_path, 'x', match_images(source, images), source, images)


def test_the_manifest_says_what_was_read_and_what_is_there(tmp_path, source, images):
    write_data_root(tmp_path / 'root', 'refcoco_unc', match_images(source, images), source, images)
    manifest = json.loads((tmp_path / 'root' / 'manifest.json').read_text())
    assert manifest['images'] == images.resolve().as_posix()
    assert manifest['splits']['train'] == {'images': 1, 'references': 2, 'expressions': 3}
    assert manifest['sources'][(tmp_path / 'source' / 'instances.json').as_posix()] == sha256_of(
        tmp_path / 'source' / 'instances.json')


def test_images_inside_the_root_are_stored_relative_so_that_it_can_move(tmp_path, source, images):
    root = tmp_path / 'root'
    root.mkdir()
    images.rename(root / 'images')
    write_data_root(root, 'refcoco_unc', match_images(source, root / 'images'), source, root / 'images')
    root.rename(tmp_path / 'moved')
    assert len(GroundingDataset(tmp_path / 'moved', ['val'], PIPELINE)[0]['inputs']) == 3


def test_a_known_digest(tmp_path):
    (tmp_path / 'x').write_bytes(b'abc')
    assert sha256_of(tmp_path / 'x') == 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'


def test_counts_are_images_references_expressions(source):
    assert count_by_split(source.annotations) == {'train': (1, 2, 3), 'val': (1, 1, 1)}


def test_a_source_is_read_and_matched_in_one_go(tmp_path, images):
    write_official(tmp_path / 'downloads' / 'refcoco')
    data, prepared = prepare(find_dataset('refcoco_unc'), tmp_path / 'downloads', images)
    assert len(data.annotations) == len(prepared.annotations) == 4


def test_data_are_not_prepared_while_others_prepare_or_read_them_nor_read_while_they_are_prepared(tmp_path, source, images):
    root = tmp_path / 'root'
    write_data_root(root, 'first', match_images(source, images), source, images)
    before = (root / 'manifest.json').read_bytes()
    with locked(root / 'annotations'):
        with pytest.raises(LockedError, match=rf'is being written by process {os.getpid()} on'):
            GroundingDataset(root, ['train'], PIPELINE)
        with pytest.raises(LockedError, match=rf'is in use by process {os.getpid()} on'):
            write_data_root(root, 'second', match_images(source, images), source, images)
    with reading(root / 'annotations'), pytest.raises(LockedError):
        write_data_root(root, 'second', match_images(source, images), source, images)
    assert (root / 'manifest.json').read_bytes() == before
    assert len(GroundingDataset(root, ['train'], PIPELINE)) == 3


def test_an_id_that_comes_twice_is_told_by_both_lines_and_only_in_splits_that_are_asked_for(tmp_path):
    write_photo(tmp_path / 'images/a.png')
    lines = [dict(image='a.png', expression=f'cup {number}', box=[1, 2, 9, 9], split=split, expression_id=one)
             for number, (split, one) in enumerate((('train', 7), ('val', 7), ('train', 8), ('train', '7')))]
    file = tmp_path / 'lines.jsonl'
    file.write_text(''.join(json.dumps(each) + '\n' for each in lines))
    spec = find_dataset('own')
    for splits in ((), ('train', ), ('train', 'val')):
        with pytest.raises(DataError, match=rf'{file}:4: expression 7 of split train is in {file}:1 too: ids must differ'):
            prepare(spec, file, tmp_path / 'images', splits=splits)
    assert len(prepare(spec, file, tmp_path / 'images', splits=('val', ))[1].annotations) == 1


def test_two_sentences_of_one_reference_with_one_id_are_refused(tmp_path):
    twice = reference(0, 5, 'train', ['left cup', 'the cup'])
    twice['sentences'][1]['sent_id'] = twice['sentences'][0]['sent_id']
    write_official(tmp_path, [twice])
    (tmp_path / 'images').mkdir(exist_ok=True)
    with pytest.raises(DataError, match=r'expression 0 of split train is in .* too: ids must differ'):
        prepare(find_dataset('refcoco_unc'), tmp_path, tmp_path / 'images')
