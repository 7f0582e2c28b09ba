import torch

from mmduet.engine.saving import copy_to_host


def test_a_copy_shares_nothing_with_the_training_and_keeps_what_is_shared():
    weight = torch.arange(4.0)
    state = torch.nn.BatchNorm1d(2).state_dict()
    copied = copy_to_host({'a': weight, 'b': [weight, (weight[:2], 'x')], 'c': state})
    weight.zero_()
    assert copied['a'].tolist() == [0, 1, 2, 3] and copied['b'][0] is copied['a']
    assert copied['b'][1][0].tolist() == [0, 1] and copied['b'][1][1] == 'x'
    assert copied['c']._metadata == state._metadata and list(copied['c']) == list(state)
