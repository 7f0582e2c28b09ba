import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from projects.ablation.launcher import log_end, run_jobs, time_left
from tests.shared_data import ROOT


def note(argument):
    """A job: print, say where it runs, and fail where it is told to."""
    print('job', argument['name'], 'in', os.getpid(), 'of', torch.get_num_threads(), 'thread')
    print('a warning', file=sys.stderr)
    time.sleep(argument.get('seconds', 0))
    if argument.get('fails'):
        raise ValueError('told to fail')
    if argument.get('dies'):
        os.kill(os.getpid(), 9)


def jobs(tmp_path, *arguments):
    return [(argument, tmp_path / argument['name'] / 'train.log') for argument in arguments]


def wait_until(condition):
    while not condition():
        time.sleep(0.05)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that ended and was not asked for its status is still there.
    return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z' if Path('/proc').exists() else True


def test_every_job_has_a_process_of_one_thread_and_a_log(tmp_path):
    done = list(run_jobs(note, jobs(tmp_path, {'name': 'a'}, {'name': 'b'}), 2))
    assert sorted((each.index, each.failed) for each in done) == [(0, False), (1, False)]
    logs = [(tmp_path / name / 'train.log').read_text() for name in 'ab']
    assert 'job a in ' in logs[0] and 'of 1 thread' in logs[0] and 'a warning' in logs[0]
    processes = {log.split(' in ')[1].split()[0] for log in logs}
    assert len(processes) == 2 and str(os.getpid()) not in processes


@pytest.mark.parametrize('how', ['fails', 'dies'])
def test_a_job_that_fails_stops_no_other(tmp_path, how):
    done = list(run_jobs(note, jobs(tmp_path, {'name': 'a', how: True}, {'name': 'b'}), 1))
    assert [(each.index, each.failed) for each in done] == [(0, True), (1, False)]
    if how == 'fails':
        assert log_end(done[0].log, 1) == '    ValueError: told to fail'


def test_jobs_left_behind_are_ended(tmp_path):
    both = jobs(tmp_path, {'name': 'a'}, {'name': 'endless', 'seconds': 10 ** 6})
    running = run_jobs(note, both, 2)
    assert next(running).index == 0
    log = both[1][1]
    wait_until(lambda: log.exists() and ' of ' in log.read_text())
    job = int(log.read_text().split(' in ')[1].split()[0])
    assert is_alive(job)
    running.close()
    wait_until(lambda: not is_alive(job))


def test_jobs_end_with_a_launcher_that_is_killed(tmp_path):
    (tmp_path / 'job.py').write_text('import os, time\n'
                                     'def work(path):\n'
                                     '    open(path + ".part", "w").write(str(os.getpid()))\n'
                                     '    os.rename(path + ".part", path)\n'
                                     '    time.sleep(10 ** 6)\n')
    (tmp_path / 'launch.py').write_text('import sys, pathlib, job\n'
                                        'from projects.ablation.launcher import run_jobs\n'
                                        'if __name__ == "__main__":\n'
                                        '    log = pathlib.Path(sys.argv[1] + ".log")\n'
                                        '    list(run_jobs(job.work, [(sys.argv[1], log)], 1))\n')
    pid_file = tmp_path / 'pid'
    launcher = subprocess.Popen([sys.executable, str(tmp_path / 'launch.py'), str(pid_file)], cwd=tmp_path,
                                env={**os.environ, 'PYTHONPATH': str(ROOT)})
    try:
        wait_until(lambda: pid_file.exists() or launcher.poll() is not None)
        job = int(pid_file.read_text())
        assert is_alive(job)
    finally:
        launcher.kill()
        launcher.wait()
    wait_until(lambda: not is_alive(job))


def test_the_end_of_a_log_is_shown(tmp_path):
    path = tmp_path / 'log'
    assert log_end(path) == '    (it printed nothing)'
    path.write_text('one\ntwo\nthree\n')
    assert log_end(path, 2) == '    two\n    three'


@pytest.mark.parametrize(('ended', 'total', 'side_by_side', 'left'), [
    (1, 4, 1, 30), (4, 4, 1, 0),
    # Of two that run side by side the second is about done when the first is.
    (1, 2, 2, 0), (1, 4, 2, 10), (2, 4, 2, 10), (4, 8, 2, 10), (1, 5, 2, 20), (1, 3, 8, 0)])
def test_the_time_left_is_that_of_the_rounds_left(ended, total, side_by_side, left):
    assert time_left(10, ended, total, side_by_side) == pytest.approx(left)
