import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from mmduet.engine import GroundingLoggerHook
from mmduet.registry import RUNNERS
from tests.engine.tiny_runs import shown, unstamped
from tests.tiny_grounder import load_tiny_config, make_data_root

LONG = 'acc@0.25: '  # of the line that holds all metrics


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=4)


def test_a_validation_is_shown_as_a_table_and_written_as_a_line_too(root, tmp_path):
    _, lines = shown(tmp_path, root, train_cfg__max_epochs=1)
    start = lines.index('Validation after epoch 1, step 2')
    assert re.fullmatch(r'metric +val', lines[start + 1])
    assert re.fullmatch(r'acc@0\.25 +\d+\.\d\d', lines[start + 2])
    assert not any(LONG in line for line in lines)
    assert LONG in next(tmp_path.glob('*/*.log')).read_text()


@pytest.fixture(scope='module')
def tried(root, tmp_path_factory):
    """A runner that validated and tested a model without training it, and what both showed."""
    cfg = load_tiny_config(tmp_path_factory.mktemp('work'), root)
    shared = cfg.val_dataloader.dataset
    cfg.val_dataloader.dataset = dict(type='JointDataset', datasets=[shared, {**shared, 'splits': ['train']}])
    screens = []
    with contextlib.redirect_stdout(io.StringIO()) as screen:
        runner = RUNNERS.build(cfg)
        for run in (runner.val, runner.test):
            run()
            screens.append(unstamped(screen.getvalue()))
            screen.truncate(screen.seek(0))
    return runner, *screens


def test_a_validation_alone_says_of_no_epoch_and_names_all_splits(tried):
    _, validated, _ = tried
    start = validated.index('Validation')
    assert validated[start + 1].split() == ['metric', 'val+train', 'train', 'val']
    assert not any(LONG in line for line in validated)


def test_a_test_writes_its_line_into_the_file_and_leaves_the_table_to_who_tests(tried):
    runner, _, tested = tried
    assert not any(line.startswith(('metric', 'Validation')) or LONG in line for line in tested)
    log = Path(runner.log_dir, f'{runner.timestamp}.log').read_text()
    assert re.search(r'Epoch\(test\).*acc@0\.25: ', log)


def test_the_table_holds_every_number_of_whatever_kind_and_nothing_else(tried):
    runner, *_ = tried
    log = Path(runner.log_dir, f'{runner.timestamp}.log')
    hook, = (hook for hook in runner.hooks if isinstance(hook, GroundingLoggerHook))
    before = log.read_text()
    hook.after_val_epoch(runner, {'own/acc': 50.0, 'own/float32': np.float32(0.25), 'own/tensor': torch.tensor(43.21),
                                  'own/array': np.array([7.0]), 'own/count': np.int64(3), 'own/whole': 4, 'own/note': 'fine',
                                  'own/rows': [1.0, 2.0], 'own/matrix': torch.ones(2, 2)})
    title, *table = log.read_text().removeprefix(before).splitlines()
    assert 'Validation' in title
    assert table == ['metric     own', 'acc      50.00', 'float32   0.25', 'tensor   43.21', 'array     7.00', 'count     3.00',
                     'whole     4.00']


@pytest.mark.parametrize('metrics', [None, {}, {'own/note': 'fine'}])
def test_without_numbers_there_is_no_table(tried, metrics):
    runner, *_ = tried
    log = Path(runner.log_dir, f'{runner.timestamp}.log')
    hook, = (hook for hook in runner.hooks if isinstance(hook, GroundingLoggerHook))
    before = log.read_text()
    hook.after_val_epoch(runner, metrics)
    assert 'Validation' not in log.read_text().removeprefix(before)
