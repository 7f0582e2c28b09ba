import contextlib
import io
import re

import pytest

from mmduet.engine import NonFiniteLossError, ProgressHook
from mmduet.engine.console import watch_console
from mmduet.engine.hooks.progress_hook import STEPS, bars_of
from tests.engine.tiny_runs import Terminal, begin, shown, train
from tests.tiny_grounder import make_data_root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=4)


@pytest.mark.parametrize(('console', 'show', 'bar'), [
    (io.StringIO, None, False), (io.StringIO, True, True), (Terminal, None, True), (Terminal, False, False)])
def test_there_is_a_bar_on_a_terminal_or_where_it_is_asked_for(root, tmp_path, console, show, bar):
    _, lines = shown(tmp_path, root, console=console, train_cfg__max_iters=1, default_hooks__progress__show=show,
                     default_hooks__logger__interval=1)
    assert any(re.search(r'epoch 1/2 .* 1/1 loss 0\.\d+ ', line) for line in lines) == bar
    assert any('Epoch(train)' in line for line in lines) != bar
    assert any('Last checkpoint: ' in line for line in lines)
    assert 'Epoch(train) [1][1/2]' in next(tmp_path.glob('*/*.log')).read_text()


def test_a_bar_is_taken_away_where_training_ends_by_an_error(root, tmp_path):
    with contextlib.redirect_stdout(Terminal()) as console, pytest.raises(NonFiniteLossError):
        train(tmp_path, root, model__poison='train1', default_hooks__logger__interval=1)
    assert '\x1b[?25h' in console.getvalue()[-2000:]  # the cursor is back


@pytest.mark.parametrize('error', [None, KeyboardInterrupt])
def test_lines_about_steps_are_hidden_as_long_as_there_is_a_bar(root, tmp_path, error):
    runner = begin(tmp_path, root, train_cfg=dict(_delete_=True, type='IterBasedTrainLoop', max_iters=8), param_scheduler=[],
                   train_dataloader__sampler=dict(_delete_=True, type='InfiniteSampler'), default_hooks__progress__show=True)
    hook, = (hook for hook in runner.hooks if isinstance(hook, ProgressHook))
    with contextlib.redirect_stdout(io.StringIO()) as screen:
        with contextlib.suppress(KeyboardInterrupt), bars_of(runner):
            hook.before_train(runner)
            assert watch_console(runner.logger).hidden == STEPS
            hook.after_train_iter(runner, 0)
            if error is not None:
                raise error
            hook.after_train(runner)
        hook.close(runner)  # nothing is there to be closed
    assert re.search(r'^step .* 1/8 ', screen.getvalue(), re.MULTILINE)
    assert watch_console(runner.logger).hidden == ()


def test_the_first_process_alone_has_a_bar(root, tmp_path):
    runner = begin(tmp_path, root)
    runner._rank = 1
    hook = ProgressHook(show=True)
    with contextlib.redirect_stdout(io.StringIO()) as screen:
        hook.before_train(runner)
        hook.after_train_iter(runner, 0)
        hook.after_train(runner)
    assert screen.getvalue() == '' and watch_console(runner.logger).hidden == ()
