import json
from zipfile import ZipFile

import pytest

from mmduet.cli import prepare as tool
from mmduet.datasets import read_annotations
from tests.cli.in_process import in_process
from tests.shared_data import ROOT
from tests.tiny_data import write_lines, write_photo


@pytest.fixture
def run(capsys):
    return in_process(tool.main, capsys)


def test_data_of_a_users_own_are_one_line_per_expression(run, tmp_path):
    write_photo(tmp_path / 'images' / 'mugs' / 'a.png')
    write_lines(tmp_path / 'mine.jsonl', [
        {'image': 'mugs/a.png', 'expression': 'red cup', 'box': [1, 2, 30, 20], 'split': 'train'}])
    done = run('own', '--source', tmp_path / 'mine.jsonl', '--out', tmp_path / 'root', '--check')
    assert done.returncode == 0, done.stdout + done.stderr
    first = read_annotations(tmp_path / 'root/annotations/train.jsonl')[0]
    assert (first.expression_id, first.image, first.width) == ('mine:1', 'mugs/a.png', 40)


@pytest.mark.parametrize('packed', [False, True])
def test_keys_that_nobody_reads_are_told(run, tmp_path, packed):
    write_photo(tmp_path / 'images/a.png')
    source = write_lines(tmp_path / 'mine.jsonl', [
        {'image': 'a.png', 'expression': 'red cup', 'box': [1, 2, 30, 20], 'split': 'val', **more}
        for more in ({}, {'by': 'me'})])
    where = f'{source}:2'
    if packed:
        with ZipFile(tmp_path / 'mine.zip', 'w') as archive:
            archive.write(source, 'mine.jsonl')
        source = tmp_path / 'mine.zip'
        where = f'{source}/mine.jsonl:2'
    done = run('own', '--source', source, '--out', tmp_path / 'root')
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"1 key of the lines that nobody reads:\n  {where}: 'by', here first\n" in done.stdout


@pytest.mark.parametrize(('field', 'value'), [('split', '../../../x'), ('split', 'objects'), ('split', 'a' * 300),
                                              ('image', '../../a.png')])
def test_names_in_a_source_do_not_lead_out_of_the_data_root(run, tmp_path, field, value):
    write_photo(tmp_path / 'images/a.png')
    line = {'image': 'a.png', 'expression': 'red ball', 'box': [1, 2, 10, 12], 'split': 'val', field: value}
    write_lines(tmp_path / 'own.jsonl', [line])
    done = run('own', '--source', tmp_path / 'own.jsonl', '--out', tmp_path / 'deep/er/root')
    assert done.returncode == 1 and f"field '{field}' must be" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ['images', 'own.jsonl']


@pytest.mark.parametrize('name', ['/etc/passwd', 'C:\\Windows\\a.png', '//host/share/a.png'])
def test_absolute_names_of_other_places_are_missing_and_nothing_is_written(run, tmp_path, name):
    write_photo(tmp_path / 'images/b.png')
    write_lines(tmp_path / 'own.jsonl', [{'image': name, 'expression': 'red ball', 'box': [1, 2, 10, 12], 'split': 'val'}])
    done = run('own', '--source', tmp_path / 'own.jsonl', '--out', tmp_path / 'root')
    assert done.returncode == 1 and name in done.stdout and 'nothing was written' in done.stderr
    assert not (tmp_path / 'root').exists()


def test_one_number_in_two_folders_is_two_images_and_two_names_of_a_file_are_one(run, tmp_path):
    for seed, name in enumerate(('siteA/000000000001', 'siteB/000000000001', 'c')):
        write_photo(tmp_path / f'images/{name}.png', seed=seed)
        (tmp_path / f'images/{name}.png').rename(tmp_path / f'images/{name}.jpg')
    names = ['siteA/000000000001.jpg', 'siteB\\000000000001.jpg', 'c.jpg', './C.JPG']
    write_lines(tmp_path / 'mine.jsonl', [{'image': name, 'expression': 'a cup', 'box': [1, 2, 30, 20 + k], 'split': 'train'}
                                          for k, name in enumerate(names)])
    done = run('own', '--source', tmp_path / 'mine.jsonl', '--out', tmp_path / 'root', '--check')
    assert done.returncode == 0, done.stdout + done.stderr
    read = read_annotations(tmp_path / 'root/annotations/train.jsonl')
    assert [a.image for a in read] == ['siteA/000000000001.jpg', 'siteB/000000000001.jpg', 'c.jpg', 'c.jpg']
    assert [a.image_id for a in read] == ['siteA/000000000001.jpg', 'siteB/000000000001.jpg', 'c.jpg', 'c.jpg']
    objects = [json.loads(row) for row in (tmp_path / 'root/annotations/objects.jsonl').read_text().splitlines()]
    assert objects[2]['boxes'] == [[1, 2, 30, 22], [1, 2, 30, 23]]


def test_fractions_are_refused_and_a_few_of_them_found_by_the_check(run, tmp_path):
    write_photo(tmp_path / 'images/a.png', width=400, height=300)
    rows = [{'image': 'a.png', 'expression': f'cup {k}', 'box': [.1, .1, .5, .6], 'split': 'train'} for k in range(4)]
    write_lines(tmp_path / 'mine.jsonl', rows)
    arguments = ('own', '--source', tmp_path / 'mine.jsonl', '--out', tmp_path / 'root', '--check')
    assert 'boxes look like fractions of their images' in run(*arguments).stderr
    write_lines(tmp_path / 'mine.jsonl', [row | {'box': [100, 50, 200, 150]} for row in rows] + rows[:1])
    done = run(*arguments)
    assert done.returncode == 1 and 'ERROR: boxes that look like fractions' in done.stdout and 'mine:5' in done.stdout


@pytest.mark.parametrize(('split', 'message'), [(' Val ', None), ('dev', None),
                                                ('Dev', "the splits 'dev' and 'Dev' would be one file"),
                                                ('OBJECTS', "field 'split' must be another word")])
def test_splits_that_would_be_one_file_are_refused(run, tmp_path, split, message):
    write_photo(tmp_path / 'images/a.png')
    write_lines(tmp_path / 'mine.jsonl', [{'image': 'a.png', 'expression': 'cup', 'box': [1, 2, 30, 20], 'split': one}
                                          for one in ('dev', split)])
    done = run('own', '--source', tmp_path / 'mine.jsonl', '--out', tmp_path / 'root')
    assert done.returncode == (message is not None) and (message or '') in done.stderr


def test_words_read_in_the_wrong_encoding_are_a_note(run, tmp_path):
    write_photo(tmp_path / 'images/a.png')
    write_lines(tmp_path / 'mine.jsonl', [{'image': 'a.png', 'expression': words, 'box': [1, 2, 30, 20], 'split': 'train'}
                                          for words in ('caf\u00c3\u00a9 table', 'caf\ufffd', 'caf\u00e9')])
    done = run('own', '--source', tmp_path / 'mine.jsonl', '--out', tmp_path / 'root', '--check')
    assert done.returncode == 0 and '2 note: words read in the wrong encoding' in done.stdout
    assert "may be 'caf\u00e9 table'" in done.stdout


@pytest.mark.parametrize(('content', 'message'), [
    (b'{"image": "a.png", "expr\n', r'mine.jsonl:1: not valid JSON'), (b'# mine\n', 'mine.jsonl:1: not valid JSON'),
    (b'[1]\n', 'mine.jsonl:1: must be a JSON object, got list'),
    (b'{"img": "a.png"}\n', "mine.jsonl:1: field 'img' is not read; nearest: image"),
    ('{"image"'.encode('utf-16'), 'mine.jsonl:1: is no text in UTF-8, but looks like UTF-16'),
    (b'\n{"image": "th\xe9"}\n', 'mine.jsonl:2: is no text in UTF-8, but may be Latin-1')])
def test_a_broken_first_line_is_named(run, tmp_path, content, message):
    good = b'{"image": "a.png", "expression": "cup", "box": [1, 2, 20, 20], "split": "train"}\n'
    (tmp_path / 'source').mkdir()
    (tmp_path / 'source/mine.jsonl').write_bytes(content + good)
    (tmp_path / 'source/._mine.jsonl').write_bytes(bytes(50))
    done = run('own', '--source', tmp_path / 'source/mine.jsonl', '--out', tmp_path / 'root')
    assert done.returncode == 1 and message in done.stderr
    if b'img' not in content:
        assert message in run('own', '--source', tmp_path / 'source', '--out', tmp_path / 'root').stderr


def test_the_example_of_the_documentation_is_good_data(run, tmp_path):
    text = (ROOT / 'docs/data.md').read_text().split('```json\n')[1].split('```')[0]
    (tmp_path / 'mine.jsonl').write_text(text)
    for name in ('kitchen/01.png', 'garden/07.png'):
        photo = write_photo(tmp_path / 'photos' / name, width=320, height=320)
        assert photo.shape == (320, 320, 3)
        (tmp_path / 'photos' / name).rename((tmp_path / 'photos' / name).with_suffix('.jpg'))
    arguments = ('own', '--source', tmp_path / 'mine.jsonl', '--images', tmp_path / 'photos', '--out', tmp_path / 'root')
    done = run(*arguments, '--check')
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'wrote 3 expressions' in done.stdout
