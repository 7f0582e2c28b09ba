"""What a training shows: ten lines before the first loss, no line twice, a table, and what to do next."""
import contextlib
import io
import re

import pytest
import torch

from mmduet import __version__
from mmduet.engine import NonFiniteLossError
from mmduet.engine.version import commit
from tests.engine.tiny_runs import train, train_distilled
from tests.tiny_grounder import make_data_root

EMA = dict(type='EMAHook', ema_type='MomentumAnnealingEMA')
STAMP = re.compile(r'^(\x1b\[\d+m)?\d\d/\d\d \d\d:\d\d:\d\d - mmengine - (\x1b\[\d+m)?[A-Z]+(\x1b\[0m)? - ')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=4)


class Terminal(io.StringIO):
    """A console that somebody looks at."""

    def isatty(self):
        return True


def shown(*arguments, console=io.StringIO, **changes):
    """The runner of a training and the lines of its console, without their times."""
    with contextlib.redirect_stdout(console()) as console:
        runner = train(*arguments, **changes)
    return runner, [STAMP.sub('', line) for line in console.getvalue().splitlines()]


@pytest.fixture(scope='module')
def run(root, tmp_path_factory):
    """Two steps, one epoch, with a validation."""
    work = tmp_path_factory.mktemp('run')
    runner, lines = shown(work, root, train_cfg__max_epochs=1, auto_scale_lr=dict(enable=True, base_batch_size=8),
                          default_hooks__logger__interval=1, default_hooks__checkpoint__save_best='miou')
    return runner, lines, next(work.glob('*/*.log')).read_text()


def test_ten_lines_come_before_the_first_loss(run):
    runner, lines, _ = run
    opening = lines[:next(k for k, line in enumerate(lines) if line.startswith('Epoch(train)'))]
    assert len(opening) == 10
    version, data, model, losses, weights, steps, rate, device, checkpoints, places = opening
    assert version == f'mmduet {__version__} (commit {commit()}), PyTorch {torch.__version__}, config {runner.cfg.filename}'
    assert data == 'Data: 4 expressions of tiny train; validated every epoch on 4 expressions of tiny val'
    assert model == 'Model: TinyGrounder, 2,108 parameters trained, 0 frozen'
    assert losses == "Losses: TinyGrounder's own"
    assert weights == 'Weights: random: backbone, text_encoder, norm, box_head'
    assert steps == 'Steps: 1 process x 2 expressions = 2 expressions an update; 2 steps in 1 epochs of 2'
    scaled = '(0.01 for 8 expressions an update, times 0.25 for what it sees)'
    assert rate == f'Rate: AdamW, 0.0025 and 0.00025 {scaled}; MultiStepLR'
    assert device == 'Device: cpu (1 threads), float32, seed 0'
    assert checkpoints == 'Checkpoints: every epoch and every 5 minutes; the last 2 are kept, and the best by miou'
    assert places == (f'Everything goes to {runner.work_dir}; config, environment and all lines to '
                      f'{runner.log_dir}/{runner.timestamp}.log')


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


def test_a_validation_is_shown_as_a_table(run):
    _, lines, _ = run
    start = lines.index('Validation after epoch 1, step 2')
    assert re.fullmatch(r'metric +val', lines[start + 1])
    assert re.fullmatch(r'acc@0\.25 +\d+\.\d\d', lines[start + 2])
    assert not any('acc@0.5:' in line for line in lines)


def test_the_end_says_the_best_score_its_file_and_the_next_command(run):
    runner, lines, _ = run
    best = f'{runner.work_dir}/best_miou_epoch_1.pth'
    assert re.fullmatch(rf'Best miou: \d+\.\d\d, in {re.escape(best)}', lines[-3])
    assert lines[-2:] == [f'Test:    mmduet test {runner.cfg.filename} {best}',
                          f'Predict: mmduet predict photo.jpg "the red one" --model {best}']


def test_a_checkpoint_says_which_mmduet_wrote_it(run):
    meta = torch.load(f'{run[0].work_dir}/epoch_1.pth', weights_only=True)['meta']
    assert (meta['mmduet_version'], meta['mmduet_commit']) == (__version__, commit())


def test_resuming_where_nothing_lies_says_so_and_a_bar_takes_the_place_of_steps(root, tmp_path):
    _, lines = shown(tmp_path, root, resume=True, train_cfg__max_iters=1, default_hooks__progress__show=True,
                     custom_hooks=[EMA], optim_wrapper__accumulative_counts=2, default_hooks__logger__interval=1)
    assert f'No checkpoint in {tmp_path} to resume from: training starts from the beginning.' in lines
    assert 'Steps: 1 process x 2 expressions x 2 accumulated steps = 4 expressions an update; 1 steps in 2 epochs of 2' in lines
    assert 'Device: cpu (1 threads), float32, a moving average of the weights is validated and saved, seed 0' in lines
    assert not any(line.startswith('Epoch(train)') for line in lines)
    assert any('epoch 1/2' in line for line in lines)
    assert 'Epoch(train) [1][1/2]' in next(tmp_path.glob('*/*.log')).read_text()
    _, lines = shown(tmp_path, root, resume=True, custom_hooks=[EMA], optim_wrapper__accumulative_counts=2,
                     default_hooks__progress__show=None, val_dataloader=None, val_cfg=None, val_evaluator=None,
                     default_hooks__checkpoint__save_best=None)
    assert f'Weights: resumed at step 1 from {tmp_path}/iter_1.pth' in lines
    assert 'Data: 4 expressions of tiny train; no validation' in lines
    assert lines[-3] == f'Last checkpoint: {tmp_path}/epoch_2.pth'
    assert any(line.startswith('Epoch(train)') for line in lines)


@pytest.mark.parametrize(('console', 'show', 'bar'), [
    (io.StringIO, None, False), (io.StringIO, True, True), (Terminal, None, True), (Terminal, False, False)])
def test_there_is_a_bar_on_a_terminal_or_where_it_is_asked_for(root, tmp_path, console, show, bar):
    _, lines = shown(tmp_path, root, console=console, train_cfg__max_iters=1, default_hooks__progress__show=show,
                     default_hooks__logger__interval=1)
    assert any('epoch 1/2' in line for line in lines) == bar
    assert any('Epoch(train)' in line for line in lines) != bar
    assert any('Last checkpoint: ' in line for line in lines)


def test_a_bar_is_taken_away_where_training_ends_by_an_error(root, tmp_path):
    with contextlib.redirect_stdout(Terminal()) as console, pytest.raises(NonFiniteLossError):
        train(tmp_path, root, model__poison='train1', default_hooks__logger__interval=1)
    assert '\x1b[?25h' in console.getvalue()[-2000:]  # the cursor is back


def test_the_opening_of_a_distilled_student_names_teacher_terms_and_where_its_parts_are_from(tmp_path):
    root = make_data_root(tmp_path / 'data', count=4)
    with contextlib.redirect_stdout(io.StringIO()) as console:
        runner = train_distilled(tmp_path / 'work', root, train_cfg__max_iters=1, model__head__weight=0.5,
                                 optim_wrapper__type='mmduet.MixedPrecisionOptimWrapper', optim_wrapper__dtype='bf16',
                                 optim_wrapper__accumulative_counts=2)
    lines = [STAMP.sub('', line) for line in console.getvalue().splitlines()]
    model = next(line for line in lines if line.startswith('Model: '))
    assert re.fullmatch(r'Model: \w+ distilled by DUETHead, [\d.,]+( M)? parameters trained, [\d.,]+( M)? frozen; '
                        r'teacher \w+ \([\d.,]+( M)?, frozen\)', model), model
    terms = ', '.join(f'{name} {term.weight * 0.5:g}' for name, term in runner.plain_model.head.terms.items())
    assert any(line.startswith('Losses: ') and line.endswith(terms) for line in lines)
    assert any(line.startswith('Device: cpu') and 'bfloat16' in line for line in lines)
    batch = runner.train_dataloader.batch_sampler.batch_size
    steps = next(line for line in lines if line.startswith('Steps: '))
    assert f'; relation compares the {batch} of a step, and by model.head.terms.relation.bank=True those of an update' in steps
    assert any(re.match(r'Weights: .*random: .*; teacher from ', line) for line in lines)
