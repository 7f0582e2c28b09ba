"""The code on the pages that teach to extend runs as it stands there."""
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, commands, files
from tests.run_tool import run_tool
from tests.tiny_grounder import make_data_root

PAGES = sorted((DOCS / 'extend').glob('*.md'))
FASTER = ('default_hooks.logger.interval=1', 'train_dataloader.batch_size=4', 'train_dataloader.num_workers=0',
          'train_dataloader.persistent_workers=False', 'val_dataloader.num_workers=0',
          'val_dataloader.persistent_workers=False', 'train_dataloader.dataset.first=None')


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('data') / 'root')


def copy_page(name, folder):
    for title, text in files(DOCS / 'extend' / f'{name}.md').items():
        (folder / title).write_text(text)


def train(folder, words, *flags, faster=FASTER):
    """What a training that a page names says, after two steps."""
    config, *given = words[2:]
    options = given[given.index('--cfg-options') + 1:] if '--cfg-options' in given else []
    work = folder / 'work' / Path(config).stem
    run = run_tool('train', folder / config, *flags, '--work-dir', work, '--max-iters', 2, '--cfg-options', *faster, *options,
                   cwd=folder)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    return ''.join(path.read_text() for path in work.rglob('*.log'))


def trainings(name):
    return [words for words in commands(DOCS / 'extend' / f'{name}.md') if words[1] == 'train']


def test_the_student_trains_plain_and_distilled_and_its_distilled_checkpoint_is_tested_plain(data_root, tmp_path):
    copy_page('student', tmp_path)
    plain, distilled = trainings('student')
    log = train(tmp_path, plain, '--data-root', data_root)
    assert 'loss_giou: ' in log and 'loss_text: ' not in log
    log = train(tmp_path, distilled, '--data-root', data_root)
    for term in ('bbox', 'giou', 'text', 'region', 'image', 'relation', 'contrast'):
        assert f'loss_{term}: ' in log
    checkpoint = tmp_path / 'work/my_grounder_duet_refshapes/iter_2.pth'
    run = run_tool('test', tmp_path / 'my_grounder_refshapes.py', checkpoint, '--data-root', data_root, '--work-dir', tmp_path,
                   cwd=tmp_path)
    assert run.returncode == 0 and 'acc@0.5' in run.stdout, run.stderr[-2000:]


@pytest.mark.parametrize(('page', 'number', 'there', 'gone'), [
    ('teacher', 0, ('region', 'image', 'contrast'), ('text', 'relation')),
    ('term', 0, ('query', 'contrast'), ()),
    ('term', 1, ('query', 'relation'), ('contrast', )),
    ('sampler', 1, ('contrast', 'relation'), ())])
def test_the_part_of_the_page_trains_beside_its_config(page, number, there, gone, data_root, tmp_path):
    copy_page(page, tmp_path)
    log = train(tmp_path, trainings(page)[number], '--data-root', data_root)
    assert all(f'loss_{term}: ' in log for term in there)
    assert not any(f'loss_{term}: ' in log for term in gone)


def test_a_term_that_the_teacher_of_the_page_cannot_serve_is_refused_by_both_names(data_root, tmp_path):
    copy_page('teacher', tmp_path)
    config = tmp_path / 'transvg_thumbnail_refshapes.py'
    config.write_text('\n'.join(line for line in config.read_text().splitlines() if 'text=None' not in line))
    run = run_tool('train', config, '--data-root', data_root, '--work-dir', tmp_path / 'work', cwd=tmp_path)
    assert run.returncode == 1
    assert "the term 'relation' (RelationTerm) requires" in run.stderr or "the term 'text' (FeatureTerm) requires" in run.stderr
    assert 'ThumbnailTeacher does not give' in run.stderr


def test_the_lines_of_the_page_become_a_data_root_that_trains(tmp_path):
    from PIL import Image
    copy_page('dataset', tmp_path)
    for name in ('a/1.jpg', 'b/2.jpg'):
        (tmp_path / 'images' / name).parent.mkdir(parents=True)
        Image.new('RGB', (100, 80), 'white').save(tmp_path / 'images' / name)
    subprocess.run([sys.executable, 'convert.py'], cwd=tmp_path, check=True)
    prepare, *_ = commands(DOCS / 'extend/dataset.md')
    run = run_tool('prepare_dataset', *prepare[2:], cwd=tmp_path)
    assert run.returncode == 0 and '0 errors' in run.stdout, run.stdout + run.stderr
    words, = trainings('dataset')
    log = train(tmp_path, words, faster=[option for option in FASTER if 'batch_size' not in option])
    assert 'loss_giou: ' in log


def test_every_page_that_teaches_to_extend_shows_files_that_a_test_runs():
    assert {page.stem for page in PAGES} == {'index', 'student', 'teacher', 'term', 'sampler', 'dataset'}
    assert all(files(page) for page in PAGES if page.stem != 'index')
