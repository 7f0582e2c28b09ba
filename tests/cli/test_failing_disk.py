"""Every command where it cannot write: a sentence naming the file, the code 1, nothing half-written, what was there stays."""
import ctypes
import json
import resource
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO

import pytest
import torch

from mmduet.registry import MODELS, RUNNERS
from tests.cli.test_convert import _authors_checkpoint
from tests.forking import Call, run_calls
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
# Rights of root that pass over those of files: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
_RIGHTS = ~0b110
_CAPABILITIES_VERSION = 0x20080522


class Inputs:
    """Good inputs of every command, made once."""

    def __init__(self, folder):
        self.folder = folder
        self.root = make_data_root(folder / 'tiny', count=4, splits=('train', 'val', 'testA'))
        self.cache_root = make_cache_root(folder / 'cached', splits=('train', ))
        self.weights = folder / 'plain.pth'
        torch.save({'state_dict': RUNNERS.build(load_tiny_config(folder / 'work', self.root)).plain_model.state_dict()},
                   self.weights)
        self.theirs = folder / 'theirs.pth'
        _authors_checkpoint(MODELS.build(tiny_transvg_config()), self.theirs)
        self.photo = folder / 'photo.png'
        write_photo(self.photo)
        write_photo(folder / 'own/images/a.png')
        write_lines(folder / 'own/val.jsonl', [line(expression_id=str(number), split='val') for number in range(100)])
        self.annotations = make_report_root(folder / 'report')
        self.predictions = write_lines(folder / 'p.jsonl', answers(*SOME))


# What each command gets, given the inputs and the folder that it writes to.
COMMANDS = {
    'train': lambda have, out: [TINY, '--data-root', have.root, '--work-dir', out],
    'test': lambda have, out: [TINY, have.weights, '--data-root', have.root, '--work-dir', out / 'logs',
                               '--out', out / 'p.jsonl'],
    'predict': lambda have, out: [have.photo, 'the ring', '--model', 'toy', '--device', 'cpu', '--out', out / 'a.bmp'],
    'convert': lambda have, out: [have.theirs, out / 'ours.safetensors'],
    'browse': lambda have, out: ['transvg_refcoco', '--data-root', have.cache_root, '--count', 1, '--out', out / 'a.png'],
    'benchmark': lambda have, out: [CACHED, '--data-root', have.cache_root, '--balance', '--steps', 1, '--threads', 1,
                                    '--json', out / 'a.json'],
    'export': lambda have, out: ['toy', '--check', 0, '--out', out / 'toy.onnx'],
    'cache_teacher': lambda have, out: [CACHED, '--data-root', have.cache_root, '--out', out],
    'publish': lambda _, out: ['toy', out],
    'report': lambda have, out: [have.predictions, '--ann', have.annotations, '--out', out / 'r.html', '--draws', 5],
    'prepare': lambda have, out: ['own', '--source', have.folder / 'own', '--out', out],
}


# Bytes that a file may have where the disk refuses: enough for what is only read again, in the folder of the system.
SIZES = {'publish': 20_000, 'predict': 20_000, 'cache_teacher': 600, 'benchmark': 600}


@pytest.fixture(scope='module')
def have(tmp_path_factory):
    return Inputs(tmp_path_factory.mktemp('inputs'))


def _drop_rights():
    """Let the rights of files count for root too."""
    system = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0), (ctypes.c_uint32 * 6)()
    assert system.capget(header, sets) == 0
    for number in range(3):
        sets[number] &= _RIGHTS & 0xffffffff
    assert system.capset(header, sets) == 0


def _limited(name, size, arguments):
    _drop_rights()
    said = StringIO(), StringIO()  # what is printed is not to be limited
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with redirect_stdout(said[0]), redirect_stderr(said[1]):
            resource.setrlimit(resource.RLIMIT_FSIZE, (before[0] if size is None else size, before[1]))
            return import_module(f'mmduet.cli.{name}').main(arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        for text, stream in zip(said, (sys.stdout, sys.stderr), strict=True):
            stream.write(text.getvalue())


def run(name, have, out, size=None):
    arguments = [str(argument) for argument in COMMANDS[name](have, out)]
    return run_calls([Call(_limited, (name, size, arguments), str(have.folder))])[0]


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


# An export takes half a minute, and is written as convert writes.
@pytest.mark.parametrize('name', [name for name in COMMANDS if name != 'export'])
def test_a_disk_that_refuses_is_a_sentence_and_leaves_nothing_half_written(have, tmp_path, name):
    said = sentence_of(run(name, have, tmp_path / 'out', SIZES.get(name, 100)), tmp_path / 'out')
    assert LARGE in said
    left = [path for path in (tmp_path / 'out').rglob('*') if path.is_file() and path.suffix != '.log' and path.name != '.lock']
    assert [path.name for path in left] == (['index.json'] if name == 'cache_teacher' else [])
    assert all(json.loads(path.read_text()) for path in left)


def test_a_checkpoint_that_the_disk_refuses_is_named_with_the_reason(have, tmp_path):
    done = run('train', have, tmp_path / 'out', size=30_000)
    assert f'epoch_1.pth cannot be written: {LARGE}' in sentence_of(done, tmp_path / 'out/epoch_1.pth')
    assert not list((tmp_path / 'out').glob('*.p*t*'))
