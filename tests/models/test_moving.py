import torch

from mmduet.models.moving import move, move_together


def test_tensors_that_move_together_keep_their_values_and_shapes():
    tensors = {'a': torch.arange(6).view(2, 3), 'b': torch.tensor([True, False]), 'c': torch.zeros(0, 4)}
    moved = move_together(tensors, torch.int64, torch.device('cpu'))
    assert moved['a'].tolist() == [[0, 1, 2], [3, 4, 5]] and moved['b'].tolist() == [1, 0] and moved['c'].shape == (0, 4)


def test_a_tensor_that_is_there_already_stays_what_it_is():
    tensor = torch.ones(2)
    assert move(tensor, torch.device('cpu')) is tensor
