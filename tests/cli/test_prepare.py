import pickle
import re
import shutil
from zipfile import ZipFile

import numpy as np
import pytest
from torch.utils.data import DataLoader

from mmduet.cli import prepare as tool
from mmduet.datasets import GroundingDataset, LoadImage, read_annotations, read_image
from mmduet.io import image_archives
from tests.cli.in_process import in_process
from tests.run_tool import run_tool
from tests.shared_data import shared
from tests.tiny_data import reference, write_official, write_photo
from tests.tiny_sources import write_entities, write_index, write_shikra


@pytest.fixture
def run(capsys):
    return in_process(tool.main, capsys)


@pytest.fixture
def official(tmp_path):
    write_official(tmp_path / 'source')
    for image_id in (5, 6):
        write_photo(tmp_path / 'source' / 'images' / f'COCO_train2014_{image_id:012d}.jpg')
    return tmp_path / 'source'


def test_a_data_root_is_written_from_any_folder_with_counts_beside_the_published(tmp_path, official):
    done = run_tool('prepare_dataset', 'refcoco_unc', '--source', 'source', '--out', 'root', '--check-images', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    train = next(row for row in done.stdout.splitlines() if row.startswith('train')).split()
    assert ' '.join(train) == 'train 16,994 / 42,404 / 120,624 1 / 2 / 3 -16,993 / -42,402 / -120,621 1 / 2 / 3'
    assert done.stdout.endswith('wrote 4 expressions to root\n')
    assert [a.expression for a in read_annotations(tmp_path / 'root' / 'annotations' / 'train.jsonl')] == [
        'left cup', 'the cup', 'mug']


def test_images_stay_in_the_archive_they_came_in(run, tmp_path, official):
    folder = official / 'images'
    with ZipFile(tmp_path / 'train2014.zip', 'w') as archive:
        for path in folder.glob('*'):
            archive.write(path, f'train2014/{path.name}')
        archive.writestr('__MACOSX/train2014/._COCO_train2014_000000000005.jpg', b'0')
    shutil.rmtree(folder)
    done = run('refshapes', '--source', official, '--images', tmp_path / 'train2014.zip', '--out', tmp_path / 'root',
               '--check-images', '--check')
    assert done.returncode == 0, done.stderr
    dataset = GroundingDataset(tmp_path / 'root', ['train'], [dict(type=LoadImage)])
    path = tmp_path / 'train2014.zip' / 'train2014' / 'COCO_train2014_000000000005.jpg'
    assert dataset[0]['img_path'] == str(path)
    assert np.array_equal(dataset[0]['img'], read_image(path))
    # In a worker that is not forked, and so has nothing open.
    loader = DataLoader(dataset, num_workers=1, multiprocessing_context='spawn', batch_size=None)
    assert [item['img'].shape for item in loader] == [(30, 40, 3)] * 3
    with ZipFile(tmp_path / 'train2014.zip', 'w') as archive:
        archive.writestr('train2014/COCO_train2014_000000000006.jpg', b'0')
    image_archives._ARCHIVES.clear()
    checked = run('refshapes', '--check', '--out', tmp_path / 'root')
    assert checked.returncode == 1
    assert f'image {path} does not exist' in checked.stdout
    assert 'COCO_train2014_000000000006.jpg is no image' in checked.stdout


def test_missing_images_are_refused_by_name_unless_allowed(run, tmp_path, official):
    (official / 'images' / 'COCO_train2014_000000000005.jpg').unlink()
    refused = run('refshapes', '--source', official, '--out', tmp_path / 'root')
    assert refused.returncode == 1
    assert '1 image missing' in refused.stdout
    assert 'COCO_train2014_000000000005.jpg or 000000000005.jpg' in refused.stdout
    assert 'nothing was written' in refused.stderr
    assert '--allow-missing-images' in refused.stderr
    assert not (tmp_path / 'root').exists()
    allowed = run('refshapes', '--source', official, '--out', tmp_path / 'root', '--allow-missing-images')
    assert allowed.returncode == 0
    assert 'wrote 1 expression ' in allowed.stdout


@pytest.mark.parametrize('flag', ['--check-images', '--check'])
def test_a_broken_image_is_found_when_asked_and_named_and_nothing_is_written(run, tmp_path, official, flag):
    broken = official / 'images' / 'COCO_train2014_000000000006.jpg'
    broken.write_bytes(broken.read_bytes()[:-200])
    arguments = ('refshapes', '--source', official, '--out', tmp_path / 'root')
    done = run(*arguments, flag)
    assert done.returncode == 1
    assert f'1 image that cannot be used:\n  {broken} is truncated' in done.stdout
    assert not (tmp_path / 'root').exists()
    assert run(*arguments, flag, '--allow-missing-images').returncode == 0
    assert not (tmp_path / 'root/annotations/val.jsonl').exists()


def test_blank_expressions_are_counted_and_named(run, tmp_path, official):
    write_official(official, [reference(0, 5, 'val', ['cup', '  '])])
    done = run('refshapes', '--source', official, '--out', tmp_path / 'root')
    assert done.returncode == 0
    assert '1 blank expression left out:' in done.stdout
    assert 'reference 0: expression 1 is blank' in done.stdout


def test_an_unknown_name_and_a_missing_source_are_sentences_not_tracebacks(run, tmp_path):
    for arguments, message in ((('refcoco', '--source', tmp_path), "no data set is called 'refcoco'; did you mean refcoco_unc"),
                               (('refcoco_unc', '--source', tmp_path / 'gone'), 'no such folder')):
        done = run(*arguments)
        assert done.returncode == 1
        assert message in done.stderr
        assert 'Traceback' not in done.stderr


def test_the_real_images_give_fifty_expressions(run, tmp_path):
    family = shared('data/refcoco_family')
    done = run('refcoco_unc', '--source', family / 'official_layout' / 'refcoco', '--images', family / 'photos' / 'images',
               '--allow-missing-images', '--check-images', '--out', tmp_path / 'photos')
    assert done.returncode == 0, done.stderr
    assert 'wrote 50 expressions' in done.stdout
    assert '2,994 images missing' in done.stdout
    folder = tmp_path / 'photos' / 'annotations'
    counts = {split: len(read_annotations(folder / f'{split}.jsonl')) for split in ('testA', 'testB')}
    assert counts == {'testA': 36, 'testB': 14}


def test_a_check_ends_with_one_where_something_is_wrong_and_names_it(run, tmp_path, official):
    arguments = ('refshapes', '--source', official, '--out', tmp_path / 'root')
    done = run(*arguments, '--check')
    assert done.returncode == 0, done.stdout
    assert '0 errors' in done.stdout
    (official / 'images' / 'COCO_train2014_000000000006.jpg').unlink()
    again = run('refshapes', '--check', '--out', tmp_path / 'root')
    assert again.returncode == 1
    assert 'ERROR: images that are missing' in again.stdout
    assert 'val.jsonl:1: expression 20: image' in again.stdout
    other = run('refcoco_unc', '--check', '--out', tmp_path / 'root')
    assert f'{tmp_path}/root holds refshapes, not refcoco_unc' in other.stderr


def test_only_the_splits_asked_for_are_written_and_checked(run, tmp_path, official):
    done = run('refcoco_unc', '--source', official, '--out', tmp_path / 'root', '--splits', 'val', '--check')
    assert done.returncode == 1
    assert 'val has 1 expression, published are 10,834 (-10,833)' in done.stdout
    said = f'root was written, with these errors: repair {official} and prepare it again before you use it\n'
    assert done.stdout.endswith(said)
    assert 'train' not in done.stdout
    assert sorted(path.name for path in (tmp_path / 'root/annotations').glob('[!.]*')) == ['objects.jsonl', 'val.jsonl']
    absent = run('refcoco_unc', '--source', official, '--out', tmp_path / 'root', '--splits', 'testA')
    assert "has no split 'testA', only train, val" in absent.stderr


def test_sizes_that_a_source_does_not_say_are_read_from_the_images(run, tmp_path):
    write_index(tmp_path / 'source')
    for image_id in (5, 6):
        write_photo(tmp_path / 'photos' / f'{image_id:012d}.jpg', width=40 + image_id)
    done = run('refcoco_unc', '--source', tmp_path / 'source', '--images', tmp_path / 'photos', '--out', tmp_path / 'root')
    assert done.returncode == 0, done.stderr
    assert 'layout index' in done.stdout
    first = read_annotations(tmp_path / 'root/annotations/train.jsonl')[0]
    assert (first.image, first.width, first.height) == ('000000000005.jpg', 45, 30)


@pytest.mark.parametrize('ids', [('5', '9'), (5.0, '9.0')])
def test_ids_that_went_through_a_table_are_joined(run, tmp_path, ids):
    source = tmp_path / 'source'
    write_official(source, [reference(0, 5, 'val', ['cup'])])
    refs = pickle.loads((source / 'refs(unc).p').read_bytes())
    refs[0].update(ann_id=type(ids[0])(100), image_id=ids[1].replace('9', '5'))
    (source / 'refs(unc).p').write_bytes(pickle.dumps(refs))
    write_photo(source / 'images/COCO_train2014_000000000005.jpg')
    assert run('refcoco_unc', '--source', source, '--out', tmp_path / 'root').returncode == 0
    read, = read_annotations(tmp_path / 'root/annotations/val.jsonl')
    assert (read.image_id, read.ann_id, read.box) == (5, 100, (4, 5, 14.5, 25))


def test_the_protocol_is_named_in_the_manifest_and_in_every_result(run, tmp_path):
    write_entities(tmp_path / 'source')
    for name in ('5', '6'):
        write_photo(tmp_path / 'photos' / f'{name}.jpg')
    for protocol, count in (('merged', 0), ('any', 2)):
        root = tmp_path / protocol
        done = run('flickr30k', '--source', tmp_path / 'source', '--images', tmp_path / 'photos', '--out', root,
                   '--protocol', protocol)
        assert done.returncode == 0, done.stderr
        assert f'layout entities, protocol {protocol}' in done.stdout
        assert 'phrases without box: 1' in done.stdout
        assert sum(a.boxes is not None for a in read_annotations(root / 'annotations/train.jsonl')) == count
        assert GroundingDataset(root, ['train'], []).metainfo['dataset_name'] == f'flickr30k ({protocol})'
    assert 'accepted_boxes' in GroundingDataset(root, ['train'], [], test_mode=True)[0]


def test_nothing_half_written_is_left_where_writing_fails(tmp_path, official, monkeypatch):
    from mmduet.datasets import preparation
    spec = preparation.CATALOG['refcoco_unc']
    source, prepared = preparation.prepare(spec, official, official / 'images')

    def disk_full(path, annotations):
        path.write_text('{"half": ')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(preparation, 'write_annotations', disk_full)
    for out in (tmp_path / 'new', official):
        with pytest.raises(OSError, match='No space'):
            preparation.write_data_root(out, 'refcoco_unc', prepared, source, official / 'images')
    assert not (tmp_path / 'new').exists()
    assert sorted(path.name for path in official.iterdir()) == ['images', 'instances.json', 'refs(unc).p']


def test_a_file_that_is_there_twice_is_refused(run, tmp_path):
    write_shikra(tmp_path / 'a')
    write_shikra(tmp_path / 'b')
    (tmp_path / 'images').mkdir()
    done = run('refcoco_unc', '--source', tmp_path)
    assert re.search(r'error: \S+/b/\S+\.jsonl:1: expression 1 of split train is in \S+/a/\S+\.jsonl:1 too', done.stderr)


def test_source_or_check_is_needed(run):
    with pytest.raises(SystemExit):
        run('refcoco_unc')
