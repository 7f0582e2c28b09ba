import os
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as torch_dist

from tests.forking import Call, run_calls, run_ranks


def describe(*arguments):
    print(Path.cwd(), os.environ.get('COLOUR'), os.environ.get('HOME'), *arguments)
    os.system('echo from a program')
    print('a warning', file=sys.stderr)
    sys.path.clear()


def end_with(code):
    sys.exit(code)


def fail():
    raise ValueError('told to fail')


def die():
    os.kill(os.getpid(), 9)


def note_the_process():
    print(os.getpid(), os.getppid())


def exchange():
    torch_dist.init_process_group('gloo')
    rank = torch.tensor([torch_dist.get_rank()])
    ranks = [torch.zeros_like(rank) for _ in range(torch_dist.get_world_size())]
    torch_dist.all_gather(ranks, rank)
    torch_dist.destroy_process_group()
    print(int(rank), 'of', [int(each) for each in ranks])


def die_or_wait():
    if os.environ['RANK'] == '0':
        die()
    torch_dist.init_process_group('gloo')


def test_a_call_has_its_folder_environment_and_output_and_leaves_nothing_behind(tmp_path):
    done, = run_calls([Call(describe, ('x', 1), str(tmp_path), {'COLOUR': 'red', 'HOME': None})])
    assert done.returncode == 0
    assert sorted(done.stdout.splitlines()) == sorted([f'{tmp_path} red None x 1', 'from a program'])
    assert done.stderr == 'a warning\n'
    assert sys.path and 'COLOUR' not in os.environ and Path.cwd() != tmp_path


@pytest.mark.parametrize(('function', 'arguments', 'code', 'said'), [
    (end_with, (None, ), 0, ''), (end_with, (3, ), 3, ''), (end_with, ('error: a sentence', ), 1, 'error: a sentence\n'),
    (fail, (), 1, 'ValueError: told to fail\n'), (die, (), -9, '')])
def test_a_call_ends_as_a_program_does(function, arguments, code, said):
    done, = run_calls([Call(function, arguments)])
    assert done.returncode == code
    assert done.stderr.endswith(said) and (said != '' or done.stderr == '')


def test_every_call_has_a_process_of_its_own_and_one_parent():
    pairs = [done.stdout.split() for done in run_calls([Call(note_the_process), Call(note_the_process)])]
    assert len({own for own, _ in pairs}) == 2
    assert len({parent for _, parent in pairs}) == 1
    assert str(os.getpid()) not in {number for pair in pairs for number in pair}


def test_ranks_find_each_other_and_end_with_one_that_dies():
    assert [done.stdout for done in run_ranks(2, exchange)] == ['0 of [0, 1]\n', '1 of [0, 1]\n']
    assert [done.returncode for done in run_ranks(2, die_or_wait)] == [-9, -9]
