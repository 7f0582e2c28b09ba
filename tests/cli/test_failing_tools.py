"""Every tool where the disk refuses: one sentence with the file, the code 1, and nothing half-written."""
import resource

import pytest
import torch

from tests.forking import Call, run_calls
from tests.report_data import SOME, answers, make_root
from tests.run_tool import _main
from tests.tiny_data import line, write_lines, write_photo

LARGE = 'it would be larger than files may be here'


def limited(size, name, *arguments):
    """Run a tool where no file may be larger than ``size`` bytes, None for no limit."""
    if size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return _main(name, *arguments)


def run(size, name, *arguments):
    return run_calls([Call(limited, (size, name, *map(str, arguments)))])[0]


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


def own(folder):
    write_photo(folder / 'own/images/a.png')
    write_lines(folder / 'own/val.jsonl', [line(expression_id=str(number), split='val') for number in range(100)])
    return ['own', '--source', folder / 'own', '--out', folder / 'out']


def report(folder):
    annotations = make_root(folder / 'data')
    predictions = write_lines(folder / 'p.jsonl', answers(*SOME))
    return [predictions, '--ann', annotations, '--out', folder / 'out/r.html', '--draws', 5]


def weights(folder):
    torch.save({'state_dict': {'clip.a': torch.ones(5000)}}, folder / 'a.pth')
    return folder / 'a.pth'


def words(folder):
    (folder / 'vocab.txt').write_text('\n'.join(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', *map(str, range(2000))]))
    return folder / 'vocab.txt'


TOOLS = {
    'prepare_dataset': own, 'analysis_tools/report': report,
    'make_refshapes': lambda folder: ['--out', folder / 'out', '--train', 60, '--val', 2, '--test', 2, '--workers', 1],
    'model_converters/export_clip': lambda folder: [weights(folder), folder / 'out.safetensors'],
    'model_converters/export_weights': lambda folder: [weights(folder), folder / 'out.safetensors', '--prefix', 'clip.'],
    'model_converters/make_tiny_tokenizer': lambda folder: [words(folder), folder / 'out'],
}


@pytest.mark.parametrize('name', TOOLS)
def test_a_disk_that_refuses_is_a_sentence_and_leaves_nothing(tmp_path, name):
    arguments = TOOLS[name](tmp_path)
    before = files_of(tmp_path)
    done = run(3000, name, *arguments)
    assert done.returncode == 1, done.stderr
    assert LARGE in done.stderr and str(tmp_path / 'out') in done.stderr
    assert 'Traceback' not in done.stderr
    assert done.stderr.count('\n') == 1
    assert not [path for path in set(files_of(tmp_path)) - set(before) if path.endswith('.partial')]
