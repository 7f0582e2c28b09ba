"""Every command where it cannot write: a sentence naming the file, the code 1, nothing half-written, what was there stays."""
import json
import resource
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO

import pytest
import torch

from mmduet.cli.benchmark_data import write_phrases
from mmduet.cli.made_up_data import make_data_root as make_up_data
from mmduet.io.failures import describe_failure
from mmduet.registry import MODELS, RUNNERS
from tests.cli.test_calibrate_score import write_distilled
from tests.cli.test_convert import _authors_checkpoint
from tests.forking import Call, run_calls
from tests.limits import drop_rights, limited
from tests.report_data import SOME, answers
from tests.report_data import make_root as make_report_root
from tests.shared_data import ROOT
from tests.tiny_cache import CONFIG as CACHED
from tests.tiny_cache import make_cache_root
from tests.tiny_data import line, write_lines, write_photo
from tests.tiny_grounder import load_tiny_config, make_data_root
from tests.tiny_transvg import tiny_transvg_config

TINY = ROOT / 'tests/tiny_config.py'
MINE = 'a file of the user'
LARGE = 'it would be larger than files may be here'
WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', *map(str, range(50))]


class Inputs:
    """Good inputs of every command, made once."""

    def __init__(self, folder):
        self.folder = folder
        self.root = make_data_root(folder / 'tiny', count=4, splits=('train', 'val', 'testA'))
        self.cache_root = make_cache_root(folder / 'cached', splits=('train', ))
        self.many_root = make_cache_root(folder / 'many', images=32, splits=('train', ))
        self.weights, self.clip = folder / 'plain.pth', folder / 'clip.pth'
        torch.save({'state_dict': RUNNERS.build(load_tiny_config(folder / 'work', self.root)).plain_model.state_dict()},
                   self.weights)
        self.scored_root = make_data_root(folder / 'scored', count=12, splits=('val', ))
        self.distilled = write_distilled(folder, self.scored_root)
        torch.save({'state_dict': {'clip.a': torch.ones(5000)}}, self.clip)
        self.theirs = folder / 'theirs.pth'
        _authors_checkpoint(MODELS.build(tiny_transvg_config()), self.theirs)
        self.exporter, self.words = folder / 'exporter.py', folder / 'words.txt'
        self.exporter.write_text('from tests.export.bytes_exporter import BytesExporter\n\n'
                                 'exporter = dict(type=BytesExporter)\n')
        self.words.write_text('\n'.join(WORDS))
        self.photo = folder / 'photo.png'
        write_photo(self.photo)
        write_photo(folder / 'own/images/a.png')
        write_lines(folder / 'own/val.jsonl', [line(expression_id=str(number), split='val') for number in range(100)])
        self.annotations = make_report_root(folder / 'report')
        self.predictions = write_lines(folder / 'p.jsonl', answers(*SOME))


# What each command gets, given the inputs and the folder that it writes to. The first word is its module.
COMMANDS = {
    'train': lambda have, out: [TINY, '--data-root', have.root, '--work-dir', out],
    'test': lambda have, out: [TINY, have.weights, '--data-root', have.root, '--work-dir', out / 'logs',
                               '--out', out / 'p.jsonl'],
    'test --show-dir': lambda have, out: [TINY, have.weights, '--data-root', have.root, '--work-dir', out / 'logs',
                                          '--show-dir', out],
    'predict': lambda have, out: [have.photo, 'the ring', '--device', 'cpu', '--out', out / 'a.bmp'],
    'predict --json': lambda have, out: [have.photo, *map(str, range(20)), '--device', 'cpu', '--json', out / 'a.json'],
    'convert': lambda have, out: [have.theirs, out / 'ours.safetensors'],
    'browse': lambda have, out: ['transvg_refcoco', '--data-root', have.cache_root, '--count', 1, '--out', out / 'a.png'],
    'benchmark': lambda have, out: [CACHED, '--data-root', have.cache_root, '--balance', '--steps', 1, '--threads', 1,
                                    '--json', out / 'a.json'],
    'export': lambda have, out: ['toy', '--check', 0, '--out', out / 'toy.onnx'],
    'export --exporter': lambda have, out: ['toy', '--check', 0, '--exporter', have.exporter, '--out', out / 'toy.bytes'],
    'cache_teacher': lambda have, out: [CACHED, '--data-root', have.cache_root, '--out', out],
    'publish': lambda _, out: ['toy', out],
    'report': lambda have, out: [have.predictions, '--ann', have.annotations, '--out', out / 'r.html', '--draws', 5],
    'decode_images': lambda have, out: [have.root, '--out', out / 'd.zip'],
    'prepare': lambda have, out: ['own', '--source', have.folder / 'own', '--out', out],
    'calibrate_score': lambda have, out: [CACHED, have.distilled, out / 's.safetensors', '--data-root',
                                          have.scored_root],
    'analyse_teacher': lambda have, out: [CACHED, '--data-root', have.many_root, '--splits', 'train', '--samples', 64,
                                          '--centre', out / 'c.safetensors'],
    'export_clip': lambda have, out: [have.clip, out / 'a.safetensors'],
    'export_weights': lambda have, out: [have.clip, out / 'a.safetensors', '--prefix', 'clip.'],
    'make_tiny_tokenizer': lambda have, out: [have.words, out],
    'make_refshapes': lambda have, out: ['--out', out, '--train', 2, '--val', 1, '--test', 1, '--workers', 1],
    'storm': lambda have, out: [TINY, '--data-root', have.root, '--work', out, '--out', out / 'figures.json'],
}

# A file that each writes; of a cache, none that is not named by its data.
FILES = {
    'train': 'tiny_config.py', 'test': 'p.jsonl', 'test --show-dir': 'test.png', 'predict': 'a.bmp', 'predict --json': 'a.json',
    'convert': 'ours.safetensors', 'browse': 'a.png', 'benchmark': 'a.json', 'export': 'toy.onnx',
    'export --exporter': 'toy.bytes', 'publish': 'config.json', 'report': 'r.html', 'prepare': 'manifest.json',
    'decode_images': 'd.zip',
    'calibrate_score': 's.safetensors', 'analyse_teacher': 'c.safetensors', 'export_clip': 'a.safetensors',
    'export_weights': 'a.safetensors', 'make_tiny_tokenizer': 'tokenizer.json', 'make_refshapes': 'manifest.json',
    'storm': 'figures.json'}

# Bytes that a file may have where the disk refuses: enough for what is only read again, in the folder of the system.
SIZES = {'publish': 20_000, 'predict': 20_000, 'predict --json': 1000, 'export --exporter': 20_000, 'cache_teacher': 600,
         'benchmark': 600, 'analyse_teacher': 600}
# To trace a model for ONNX takes half a minute: tests/export looks at that write alone. A storm reports a training that ended.
REFUSED = [name for name in COMMANDS if name not in ('export', 'storm')]


@pytest.fixture(scope='module')
def have(tmp_path_factory):
    return Inputs(tmp_path_factory.mktemp('inputs'))


def _limited(name, size, arguments):
    drop_rights()
    said = StringIO(), StringIO()  # what is printed is not to be limited
    try:
        with redirect_stdout(said[0]), redirect_stderr(said[1]), limited(resource.RLIMIT_FSIZE, size):
            return import_module(f'mmduet.cli.{name}').main(arguments)
    finally:
        for text, stream in zip(said, (sys.stdout, sys.stderr), strict=True):
            stream.write(text.getvalue())


def run(name, have, out, size=None):
    arguments = [str(argument) for argument in COMMANDS[name](have, out)]
    return run_calls([Call(_limited, (name.split()[0], size, arguments), str(have.folder))])[0]


def sentence_of(done, out):
    """The last line, after those of the log and warnings about it."""
    assert done.returncode == 1, done.stderr
    assert 'Traceback' not in done.stderr and 'Traceback' not in done.stdout
    said = done.stderr.splitlines()[-1]
    assert str(out) in said
    return said


@pytest.mark.parametrize('name', COMMANDS)
def test_a_folder_that_is_read_only_is_a_sentence(have, tmp_path, name):
    tmp_path.chmod(0o555)
    assert 'permission denied; change its permissions, or name another folder' in sentence_of(
        run(name, have, tmp_path / 'out'), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('name', COMMANDS)
def test_a_file_in_the_place_of_a_folder_is_a_sentence_and_stays(have, tmp_path, name):
    (tmp_path / 'out').write_text(MINE)
    said = sentence_of(run(name, have, tmp_path / 'out'), tmp_path / 'out')
    assert 'a file stands where a folder is expected' in said or 'is there already, and is no folder' in said
    assert [path.name for path in tmp_path.iterdir()] == ['out'] and (tmp_path / 'out').read_text() == MINE


@pytest.mark.parametrize('name', FILES)
def test_a_folder_in_the_place_of_a_file_is_a_sentence_and_stays(have, tmp_path, name):
    mine = tmp_path / FILES[name] / 'mine'
    mine.parent.mkdir()
    mine.write_text(MINE)
    assert 'is a folder, and a file is expected' in sentence_of(run(name, have, tmp_path), mine.parent)
    assert mine.read_text() == MINE
    assert name == 'train' or list(tmp_path.iterdir()) == [mine.parent]


@pytest.mark.parametrize('name', COMMANDS)
def test_a_name_that_is_too_long_is_a_sentence(have, tmp_path, name):
    assert 'the name is too long for the file system' in sentence_of(run(name, have, tmp_path / ('a' * 300)), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('name', REFUSED)
def test_a_disk_that_refuses_is_a_sentence_and_leaves_nothing_half_written_and_what_was_there(have, tmp_path, name):
    old = [] if name in ('cache_teacher', 'make_refshapes') else [tmp_path / FILES[name]]
    for path in old:
        path.write_text(MINE)
    assert LARGE in sentence_of(run(name, have, tmp_path, SIZES.get(name, 100)), tmp_path)
    left = [path for path in tmp_path.rglob('*') if path.is_file() and path.suffix != '.log' and path.name != '.lock']
    if name == 'cache_teacher':
        assert [path.name for path in left] == ['index.json'] and json.loads(left[0].read_text())
    else:
        assert left == old and all(path.read_text() == MINE for path in old)


def test_a_checkpoint_that_the_disk_refuses_is_named_with_the_reason(have, tmp_path):
    done = run('train', have, tmp_path / 'out', size=30_000)
    assert f'epoch_1.pth cannot be written: {LARGE}' in sentence_of(done, tmp_path / 'out/epoch_1.pth')
    assert not list((tmp_path / 'out').glob('*.p*t*'))


def test_a_storm_whose_training_the_disk_refuses_says_where_it_says_so(have, tmp_path):
    said = sentence_of(run('storm', have, tmp_path, size=10_000), tmp_path / 'reference/log')
    assert said.startswith('error: the training does not even end without kills; see')


@pytest.mark.parametrize(('make', 'file'), [(make_up_data, 'images/0.jpg'), (lambda root: write_phrases(root, 50),
                                                                             'annotations/train.jsonl')])
def test_made_up_data_that_the_disk_refuses_are_named(tmp_path, make, file):
    with limited(resource.RLIMIT_FSIZE, 1000), pytest.raises(OSError, match='File too large') as caught:
        make(tmp_path / 'made')
    assert describe_failure(caught.value).startswith(f'{tmp_path}/made/{file} cannot be written: {LARGE}')
