"""Two processes on one machine, by the scripts that users call."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmduet.registry import RUNNERS
from tests.run_tool import run_tool_on_ranks
from tests.shared_data import ROOT
from tests.tiny_grounder import load_tiny_config, make_data_root

TINY = ROOT / 'tests/tiny_distributed_config.py'


def run(script, *arguments, cwd=ROOT, **environ):
    env = {**os.environ, 'PYTHON': sys.executable, 'PYTHONPATH': str(ROOT), **environ}
    return subprocess.run(['bash', str(ROOT / 'tools' / script), *map(str, arguments)], cwd=cwd, env=env, text=True,
                          capture_output=True)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """One epoch of three steps, and its validation, on two ranks; started in another folder."""
    folder = tmp_path_factory.mktemp('dist')
    root = make_data_root(folder / 'data', count=11)
    done = run('dist_train.sh', TINY, 2, '--data-root', root, '--work-dir', 'work', '--max-epochs', 1, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, root


def test_two_ranks_train_to_equal_weights(trained):
    work = trained[0] / 'work'
    first, second = (torch.load(work / f'rank_{rank}_of_2.pt', weights_only=True) for rank in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    checkpoint = torch.load(work / 'epoch_1.pth', weights_only=True)
    assert checkpoint['meta']['iter'] == 3
    assert torch.equal(checkpoint['state_dict']['box_head.weight'], first['box_head.weight'])


def test_the_state_of_every_rank_is_saved(trained):
    states = torch.load(trained[0] / 'work/epoch_1.pth', weights_only=True)['random_states']
    assert len(states) == 2


def test_two_ranks_evaluate_as_one_does(trained):
    folder, root = trained
    scalars = next((folder / 'work').glob('*/vis_data/scalars.json')).read_text().splitlines()
    values = {key: value for line in scalars for key, value in json.loads(line).items()}
    two = {key: value for key, value in values.items() if key.startswith('val/') and 'time' not in key}
    runner = RUNNERS.build(load_tiny_config(folder / 'one', root, load_from=str(folder / 'work/epoch_1.pth')))
    one = runner.test()
    assert {f'val/{key}': value for key, value in one.items()} == pytest.approx(two, abs=1e-6)
    assert len(one) == 9


def test_two_ranks_train_as_one_with_twice_the_batch(trained, tmp_path):
    """Same expressions in each step, same augmentations, no dropout: the weights agree but for rounding."""
    _, root = trained
    options = ('--data-root', root, '--max-iters', 2, '--cfg-options', 'model.dropout=0.0')
    two = run_tool_on_ranks(2, 'train', TINY, '--work-dir', tmp_path / 'two', *options)
    one = run_tool_on_ranks(1, 'train', TINY, '--work-dir', tmp_path / 'one', *options, 'train_dataloader.batch_size=4')
    assert [rank.returncode for rank in (*two, *one)] == [0, 0, 0], (two, one)
    last = [Path((tmp_path / name / 'last_checkpoint').read_text().strip()) for name in ('one', 'two')]
    weights = [torch.load(path, weights_only=True)['state_dict'] for path in last]
    start = torch.load(trained[0] / 'work/epoch_1.pth', weights_only=True)['state_dict']
    assert all(torch.allclose(value, weights[1][name], atol=1e-5) for name, value in weights[0].items())
    assert not torch.allclose(start['box_head.weight'], weights[0]['box_head.weight'], atol=1e-3)


@pytest.mark.parametrize(('script', 'arguments', 'tool'), [
    ('dist_train.sh', ['config.py'], 'train.py config.py'),
    ('dist_cache_teacher.sh', ['config.py'], 'cache_teacher.py config.py'),
    ('dist_test.sh', ['config.py', 'a.pth'], 'test.py config.py a.pth')])
def test_every_script_starts_its_tool_on_the_processes_asked_for(script, arguments, tool):
    alone = run(script, *arguments, 3, '--seed', '1 2', PYTHON='echo')
    launch = '-m torch.distributed.run --standalone --nproc-per-node 3'
    assert alone.stdout == f'{launch} {ROOT}/tools/{tool} --launcher pytorch --seed 1 2\n'
    several = run(script, *arguments, 3, PYTHON='echo', NNODES='2', NODE_RANK='1', MASTER_ADDR='first')
    assert several.stdout == (f'-m torch.distributed.run --nnodes 2 --node-rank 1 --nproc-per-node 3 --master-addr first '
                              f'--master-port 29500 {ROOT}/tools/{tool} --launcher pytorch\n')


def test_a_wrong_number_of_processes_is_a_sentence():
    done = run('dist_train.sh', 'config.py', 'two')
    assert done.returncode == 2
    assert "must be a positive number, got 'two'" in done.stderr


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh'])
def test_without_arguments_the_usage_is_shown(script):
    done = run(script)
    assert done.returncode == 2
    assert f'bash tools/{script}' in done.stderr


def test_slurm_is_asked_for_the_gpus(tmp_path):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\necho "$@"\n')
    srun.chmod(0o755)
    done = run('slurm_train.sh', 'gpu', 'myjob', 'config.py', '16', '--amp', 'bf16', PATH=f'{tmp_path}:{os.environ["PATH"]}')
    assert done.stdout.split()[:6] == ['--partition=gpu', '--job-name=myjob', '--gres=gpu:8', '--ntasks=16',
                                       '--ntasks-per-node=8', '--cpus-per-task=5']
    assert done.stdout.split()[-5:] == ['config.py', '--launcher', 'slurm', '--amp', 'bf16']


def test_a_slurm_job_whose_time_is_up_is_queued_again_and_resumes(tmp_path):
    for name, content in (('srun', 'echo "$@"; exit $CODE'), ('scontrol', 'echo queued: "$@"')):
        (tmp_path / name).write_text(f'#!/bin/sh\n{content}\n')
        (tmp_path / name).chmod(0o755)
    shared = {'PATH': f'{tmp_path}:{os.environ["PATH"]}', 'SLURM_JOB_ID': '77'}
    first = run('slurm_train.sh', 'gpu', 'myjob', 'config.py', '2', CODE='143', GRACE_SECONDS='60', **shared)
    assert first.returncode == 143 and 'queued: requeue 77' in first.stdout
    assert '--signal=TERM@60' in first.stdout and '--open-mode=append' in first.stdout and '--resume' not in first.stdout
    second = run('slurm_train.sh', 'gpu', 'myjob', 'config.py', '2', '--ema', CODE='1', SLURM_RESTART_COUNT='1', **shared)
    assert second.returncode == 1 and 'queued' not in second.stdout
    assert second.stdout.split()[-3:] == ['slurm', '--ema', '--resume']
    for given in (['--resume', 'iter_10.pth'], ['--resume=iter_10.pth'], ['--resume']):
        again = run('slurm_train.sh', 'gpu', 'myjob', 'config.py', '2', *given, '--ema', CODE='1', SLURM_RESTART_COUNT='1',
                    **shared)
        assert again.stdout.split()[-3:] == ['slurm', '--ema', '--resume']


@pytest.mark.skipif(shutil.which('shellcheck') is None, reason='shellcheck is not installed')
def test_the_scripts_pass_shellcheck():
    scripts = sorted(map(str, (ROOT / 'tools').glob('*.sh')))
    assert subprocess.run(['shellcheck', '-x', *scripts], check=False).returncode == 0
