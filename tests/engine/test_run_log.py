"""What a training shows as a whole: ten lines before the first loss, no line twice, and what to do next."""
import re

import pytest
import torch

from mmduet import __version__
from mmduet.engine.version import commit
from tests.engine.tiny_runs import shown
from tests.tiny_grounder import make_data_root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=4)


@pytest.fixture(scope='module')
def run(root, tmp_path_factory):
    """Two steps, one epoch, with a validation."""
    work = tmp_path_factory.mktemp('run')
    runner, lines = shown(work, root, train_cfg__max_epochs=1, param_scheduler=[],
                          auto_scale_lr=dict(enable=True, base_batch_size=8),
                          default_hooks__logger__interval=1, default_hooks__checkpoint__save_best='miou')
    return runner, lines, next(work.glob('*/*.log')).read_text()


def test_ten_lines_come_before_the_first_loss(run):
    runner, lines, _ = run
    opening = lines[:next(k for k, line in enumerate(lines) if line.startswith('Epoch(train)'))]
    assert [line.partition(':')[0] for line in opening[1:-1]] == [
        'Data', 'Model', 'Losses', 'Weights', 'Steps', 'Rate', 'Device', 'Checkpoints']
    assert opening[0].startswith('mmduet ') and opening[-1].startswith(f'Everything goes to {runner.work_dir}; ')


def test_the_file_has_the_rest(run):
    _, lines, file = run
    for part in ('System environment:', 'Config:\n', 'parameter group: ', 'Exp name: '):
        assert part in file
        assert part.strip() not in '\n'.join(lines)


def test_no_line_is_shown_or_written_twice(run):
    _, lines, file = run
    for text in (lines, [line.partition(' - mmengine - ')[2] for line in file.splitlines() if ' - mmengine - ' in line]):
        written = [line for line in text if line.strip()]
        assert sorted(set(written)) == sorted(written)


def test_the_end_says_the_best_score_its_file_and_the_next_command(run):
    runner, lines, _ = run
    best = f'{runner.work_dir}/best_miou_epoch_1.pth'
    assert re.fullmatch(rf'Best miou: \d+\.\d\d, in {re.escape(best)}', lines[-3])
    assert lines[-2:] == [f'Test:    mmduet test {runner.cfg.filename} {best}',
                          f'Predict: mmduet predict photo.jpg "the red one" --model {best} --import tests.tiny_grounder']


def test_a_checkpoint_says_which_mmduet_wrote_it(run):
    meta = torch.load(f'{run[0].work_dir}/epoch_1.pth', weights_only=True)['meta']
    assert (meta['mmduet_version'], meta['mmduet_commit']) == (__version__, commit())
