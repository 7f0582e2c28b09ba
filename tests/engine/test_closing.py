"""What a training says when it has ended: where its weights are, and the next commands, as a shell takes them."""
import json
import shlex
import signal
from pathlib import Path

import pytest

from mmduet.engine.checkpoint import RECORD
from mmduet.engine.closing import describe_end
from mmduet.registry import RUNNERS
from tests.shared_data import ROOT
from tests.tiny_grounder import load_tiny_config

CONFIG = str(ROOT / 'tests/tiny_config.py')
BEST = {'metric': 'acc@0.5', 'score': 81.2345, 'file': 'best_acc@0.5_epoch_2.pth'}


@pytest.fixture(scope='module')
def runner(tmp_path_factory):
    folder = tmp_path_factory.mktemp('a folder') / 'of mine'
    return RUNNERS.build(load_tiny_config(folder, folder / 'no_data'))


@pytest.mark.parametrize(('record', 'first', 'file'), [
    ({'kept': ['epoch_1.pth', 'epoch_2.pth'], 'best': BEST}, 'Best acc@0.5: 81.23, in {}', BEST['file']),
    ({'kept': ['epoch_1.pth', 'iter_7.pth'], 'best': None}, 'Last checkpoint: {}', 'iter_7.pth'),
    ({'kept': ['epoch_1.pth'], 'best': {**BEST, 'file': '../other.pth'}}, 'Last checkpoint: {}', 'epoch_1.pth')])
def test_the_best_or_the_last_checkpoint_is_named_with_what_to_type_next(runner, record, first, file):
    folder = Path(runner.work_dir)
    (folder / RECORD).write_text(json.dumps(record))
    runner.signals.agreed = None
    said, test, predict = describe_end(runner)
    assert said == first.format(folder / file)
    assert shlex.split(test.partition(': ')[2]) == ['mmduet', 'test', CONFIG, str(folder / file)]
    assert shlex.split(predict.partition(': ')[2])[-3:] == [str(folder / file), '--import', 'tests.tiny_grounder']
    runner.signals.agreed = signal.SIGTERM
    said, again = describe_end(runner)
    assert said == first.format(folder / file)
    assert shlex.split(again.removeprefix('Go on: ')) == ['mmduet', 'train', CONFIG, '--resume', '--work-dir', str(folder)]


def test_a_training_without_any_checkpoint_has_nothing_to_test(runner):
    (Path(runner.work_dir) / RECORD).unlink(missing_ok=True)
    runner.signals.agreed = None
    assert describe_end(runner) == []
    runner.signals.agreed = signal.SIGINT
    assert [line.partition(':')[0] for line in describe_end(runner)] == ['Go on']
