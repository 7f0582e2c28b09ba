"""What the page of several processes shows runs on two, without a checkout: by torchrun, and by a stand-in for srun."""
import os
import shlex
import subprocess
import sys

import pytest
import torch

from mmduet.cli.main import COMMANDS, build_parser
from mmduet.cli.running import check_arguments
from tests.docs.pages import DOCS, commands, files
from tests.shared_data import ROOT
from tests.tiny_grounder import make_data_root

PAGE = DOCS / 'several_gpus.md'
TINY = ROOT / 'tests/tiny_distributed_config.py'
# Starts two tasks as srun does, and ends with the worst of their codes.
SRUN = """#!/bin/bash
shift
for rank in 0 1; do
    SLURM_PROCID=$rank SLURM_LOCALID=$rank SLURM_NTASKS=2 SLURM_NODELIST=localhost "$@" &
    tasks[rank]=$!
done
code=0
for task in "${tasks[@]}"; do wait "$task" || code=$?; done
exit $code
"""


def started(words):
    """The words of the command after ``-m mmduet``."""
    return words[words.index('mmduet') + 1:]


def environment(**more):
    return {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '', **more}


def weights(work):
    return [torch.load(work / f'rank_{rank}_of_2.pt', weights_only=True) for rank in range(2)]


@pytest.fixture
def data(tmp_path):
    return make_data_root(tmp_path / 'data', count=11)


def test_every_command_after_the_launcher_is_one_of_ours():
    typed = [words for program in ('python', 'srun') for words in commands(PAGE, program)]
    assert len(typed) == 6
    for words in typed:
        args = started([word for word in words if word not in ('||', 'code=$?')])
        assert args[0] in COMMANDS
        launcher = check_arguments(build_parser(args[0]).parse_args(args)).launcher
        assert launcher == ('slurm' if words[0] == 'srun' else 'pytorch')


def test_two_processes_train_by_the_command_for_one_machine(data, tmp_path):
    words = commands(PAGE, 'python')[0]
    assert words[:3] == ['python', '-m', 'torch.distributed.run']
    words = [sys.executable, *words[1:]]
    words[words.index('--nproc_per_node') + 1] = '2'
    words[words.index('transvg_duet_refcoco')] = str(TINY)
    run = subprocess.run([*words, '--data-root', str(data), '--work-dir', 'work', '--max-epochs', '1'], cwd=tmp_path,
                         env=environment(), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    assert '2 processes x 2 expressions = 4 expressions an update' in run.stdout
    first, second = weights(tmp_path / 'work')
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_batch_file_trains_on_the_tasks_of_srun(data, tmp_path):
    (tmp_path / 'bin').mkdir()
    for name, text in (('srun', SRUN), ('python', f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')):
        (tmp_path / 'bin' / name).write_text(text)
        (tmp_path / 'bin' / name).chmod(0o755)
    ours = f'{TINY} --data-root {data} --work-dir work --max-epochs 1'
    (tmp_path / 'train.sbatch').write_text(files(PAGE)['train.sbatch'].replace('transvg_duet_refcoco', ours))
    env = environment(PATH=f'{tmp_path / "bin"}:{os.environ["PATH"]}', SLURM_JOB_ID=str(os.getpid()))
    run = subprocess.run(['bash', 'train.sbatch'], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    assert 'No checkpoint in' in run.stdout and len(weights(tmp_path / 'work')) == 2
