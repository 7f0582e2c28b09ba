import importlib.util
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from mmduet.datasets import read_annotations
from tests.shared_data import ROOT, shared
from tests.tiny_data import reference, write_official, write_photo

TOOL = ROOT / 'tools' / 'prepare_dataset.py'


@pytest.fixture
def run(capsys):
    spec = importlib.util.spec_from_file_location('prepare_dataset_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run_in_process(*arguments):
        returncode = tool.main([str(argument) for argument in arguments])
        output = capsys.readouterr()
        return SimpleNamespace(returncode=returncode, stdout=output.out, stderr=output.err)

    return run_in_process


@pytest.fixture
def official(tmp_path):
    write_official(tmp_path / 'source')
    for image_id in (5, 6):
        write_photo(tmp_path / 'source' / 'images' / f'COCO_train2014_{image_id:012d}.jpg')
    return tmp_path / 'source'


def test_a_data_root_is_written_from_any_folder_with_counts_beside_the_published(tmp_path, official):
    arguments = ['refcoco_unc', '--source', 'source', '--out', 'root', '--check-images']
    done = subprocess.run([sys.executable, str(TOOL), *arguments], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, 'OMP_NUM_THREADS': '1'})
    assert done.returncode == 0, done.stderr
    train = next(row for row in done.stdout.splitlines() if row.startswith('train')).split()
    assert ' '.join(train) == 'train 16,994 / 42,404 / 120,624 1 / 2 / 3 -16,993 / -42,402 / -120,621 1 / 2 / 3'
    assert done.stdout.endswith('wrote 4 expressions to root\n')
    assert [a.expression for a in read_annotations(tmp_path / 'root' / 'annotations' / 'train.jsonl')] == [
        'left cup', 'the cup', 'mug']


def test_missing_images_are_refused_by_name_unless_allowed(run, tmp_path, official):
    (official / 'images' / 'COCO_train2014_000000000005.jpg').unlink()
    refused = run('refshapes', '--source', official, '--out', tmp_path / 'root')
    assert refused.returncode == 1
    assert '1 images missing' in refused.stdout
    assert 'COCO_train2014_000000000005.jpg or 000000000005.jpg' in refused.stdout
    assert 'nothing was written' in refused.stderr
    assert '--allow-missing-images' in refused.stderr
    assert not (tmp_path / 'root').exists()
    allowed = run('refshapes', '--source', official, '--out', tmp_path / 'root', '--allow-missing-images')
    assert allowed.returncode == 0
    assert 'wrote 1 expressions' in allowed.stdout


def test_a_broken_image_is_found_when_asked_and_named(run, tmp_path, official):
    broken = official / 'images' / 'COCO_train2014_000000000006.jpg'
    broken.write_bytes(b'')
    done = run('refshapes', '--source', official, '--out', tmp_path / 'root', '--check-images')
    assert done.returncode == 1
    assert f'1 images that cannot be used:\n  {broken} is empty (zero bytes)' in done.stdout


def test_blank_expressions_are_counted_and_named(run, tmp_path, official):
    write_official(official, [reference(0, 5, 'val', ['cup', '  '])])
    done = run('refshapes', '--source', official, '--out', tmp_path / 'root')
    assert done.returncode == 0
    assert '1 blank expressions left out:' in done.stdout
    assert 'reference 0: sentence 1 is blank' in done.stdout


def test_an_unknown_name_and_a_missing_source_are_sentences_not_tracebacks(run, tmp_path):
    for arguments, message in ((('refcoco', '--source', tmp_path), "no data set is called 'refcoco'; did you mean refcoco_unc"),
                               (('refcoco_unc', '--source', tmp_path / 'gone'), 'no such folder')):
        done = run(*arguments)
        assert done.returncode == 1
        assert message in done.stderr
        assert 'Traceback' not in done.stderr


def test_the_real_photos_give_fifty_expressions(run, tmp_path):
    family = shared('data/refcoco_family')
    done = run('refcoco_unc', '--source', family / 'official_layout' / 'refcoco', '--images', family / 'photos' / 'images',
               '--allow-missing-images', '--check-images', '--out', tmp_path / 'photos')
    assert done.returncode == 0, done.stderr
    assert 'wrote 50 expressions' in done.stdout
    assert '2994 images missing' in done.stdout
    folder = tmp_path / 'photos' / 'annotations'
    counts = {split: len(read_annotations(folder / f'{split}.jsonl')) for split in ('testA', 'testB')}
    assert counts == {'testA': 36, 'testB': 14}
