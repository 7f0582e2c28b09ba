import threading

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import MMLogger

from mmduet.engine import CheckpointError, background_writer
from mmduet.engine.background_writer import BackgroundWriter
from tests.engine.tiny_runs import train
from tests.forking import run_ranks
from tests.tiny_grounder import make_data_root


def test_a_job_is_done_beside_and_the_next_one_waits_for_it():
    writer, go, done = BackgroundWriter(), threading.Event(), []
    writer.submit(lambda: (go.wait(), done.append(1)))
    assert done == []
    go.set()
    writer.submit(lambda: done.append(len(done) + 1))
    writer.wait()
    assert done == [1, 2]


def test_whoever_ends_the_process_waits_for_the_last_job_but_not_for_ever(monkeypatch):
    writer, go, done = BackgroundWriter(), threading.Event(), []
    writer.finish()
    writer.submit(lambda: (go.wait(), done.append(1)))
    monkeypatch.setattr(background_writer, 'PATIENCE', 0.01)
    writer.finish()
    assert done == []
    go.set()
    monkeypatch.undo()
    writer.finish()
    assert done == [1]


def test_a_process_may_be_ended_while_a_job_is_about_to_begin(monkeypatch):
    writer, begin, done = BackgroundWriter(), threading.Thread.start, []

    def start(thread):
        writer.finish()
        begin(thread)

    monkeypatch.setattr(threading.Thread, 'start', start)
    writer.submit(lambda: done.append(1))
    writer.wait()
    assert done == [1]


def test_after_a_failure_nothing_more_is_done_and_it_is_raised_once():
    writer, done = BackgroundWriter(), []
    writer.submit(lambda: 1 / 0)
    writer.submit(lambda: done.append(1))
    assert writer.failed and done == []
    with pytest.raises(ZeroDivisionError):
        writer.settle()
    writer.settle()
    writer.submit(lambda: done.append(2))
    writer.close()
    assert done == [2]


def test_a_failure_that_nobody_raises_is_told(tmp_path):
    MMLogger.get_instance('told', log_file=str(tmp_path / 'log'))
    writer = BackgroundWriter()
    writer.submit(lambda: 1 / 0)
    writer.close()
    assert 'division by zero' in (tmp_path / 'log').read_text()


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=12)


@pytest.mark.parametrize('background', [True, False])
def test_a_checkpoint_that_cannot_be_written_ends_the_training_soon_and_those_before_are_kept(root, tmp_path, background):
    seen = []

    class See(Hook):
        def after_train_iter(self, runner, *_, **__):
            seen.append(runner.iter + 1)
            runner.writer.wait()

    (tmp_path / 'iter_4.pth').mkdir()
    with pytest.raises(CheckpointError, match=r'iter_4\.pth is a folder, .*\. The checkpoints before it are intact'):
        train(tmp_path, root, See(), default_hooks__checkpoint__iter_interval=2,
              default_hooks__checkpoint__background=background)
    assert seen[-1] in (4, 5) and (tmp_path / 'iter_2.pth').is_file()


def test_the_last_checkpoint_that_cannot_be_written_is_an_error_too(root, tmp_path):
    (tmp_path / 'epoch_2.pth').mkdir()
    with pytest.raises(CheckpointError, match=r'epoch_2\.pth is a folder'):
        train(tmp_path, root)


def test_files_are_complete_when_training_ends_and_the_same_as_those_that_training_waited_for(root, tmp_path):
    for background in (True, False):
        train(tmp_path / str(background), root, default_hooks__checkpoint__background=background,
              default_hooks__checkpoint__iter_interval=1)
    first, second = (torch.load(tmp_path / str(background) / 'epoch_2.pth', weights_only=True) for background in (True, False))
    assert all(torch.equal(value, second['state_dict'][name]) for name, value in first['state_dict'].items())
    assert sorted(path.name for path in (tmp_path / 'True').glob('*.pth')) == sorted(
        path.name for path in (tmp_path / 'False').glob('*.pth'))


def _fail_on_rank(work, root):
    try:
        train(work, root, launcher='pytorch', default_hooks__checkpoint__iter_interval=1)
    except CheckpointError as error:
        print(error)


def test_a_failure_ends_the_training_of_every_rank(root, tmp_path):
    (tmp_path / 'iter_2.pth').mkdir()
    done = run_ranks(2, _fail_on_rank, tmp_path, root)
    assert [rank.returncode for rank in done] == [0, 0], done[0].stderr[-2000:] + done[1].stderr[-2000:]
    said = [rank.stdout.splitlines()[-1] for rank in done]
    assert 'iter_2.pth is a folder, and a file is expected' in said[0] and said[1] == f'another process: {said[0]}'
