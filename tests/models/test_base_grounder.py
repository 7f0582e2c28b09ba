import torch

from mmduet.models.base_grounder import stack_targets
from tests.tiny_transvg import make_batch


def test_targets_are_centre_boxes_of_the_canvas():
    targets = stack_targets(make_batch()['data_samples'], 'cpu')
    # (10, 20, 60, 80) halved and moved 8 px down a 64 px canvas; (0, 30, 40, 128) halved and moved 16 px right.
    assert torch.allclose(targets, torch.tensor([[17.5, 33.0, 25.0, 30.0], [26.0, 39.5, 20.0, 49.0]]) / 64)
