import random

import numpy as np
import torch

from mmduet.engine.checkpoint import read_checkpoint, write_checkpoint
from mmduet.engine.random_state import get_random_state, set_random_state


def draw():
    return random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(1).item()


def test_generators_continue_where_the_state_was_taken_after_a_round_trip_through_a_file(tmp_path):
    draw()
    write_checkpoint({'state_dict': {}, 'random': get_random_state()}, tmp_path / 'a.pth')
    expected = [draw(), draw()]
    set_random_state(read_checkpoint(tmp_path / 'a.pth')['random'])
    assert [draw(), draw()] == expected
