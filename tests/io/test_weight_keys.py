import pytest
import torch

from mmduet.engine.checkpoint import fit_to_model
from mmduet.io.errors import DataError
from mmduet.io.weight_keys import unwrap_keys
from mmduet.io.weights import read_weights

OWN = {'proj.weight': 1, 'proj.bias': 2}


@pytest.mark.parametrize('before', ['module.', '_orig_mod.', 'module._orig_mod.', '_orig_mod.module.', 'model.',
                                    'model.module.', 'module.model._orig_mod.', '_fsdp_wrapped_module.', 'ema_model.module.',
                                    'module.module.'])
def test_wrappers_are_taken_off_in_any_order(before):
    assert unwrap_keys({before + key: value for key, value in OWN.items()}) == OWN


def test_a_part_that_was_compiled_is_unwrapped_where_it_stands():
    assert unwrap_keys({'student.proj._orig_mod.weight': 1, 'head.module.bias': 2}) == {'student.proj.weight': 1,
                                                                                         'head.module.bias': 2}


def test_names_of_the_models_own_stay():
    assert unwrap_keys({'model.a': 1, 'model.b': 2}, own=['model.a']) == {'model.a': 1, 'model.b': 2}
    assert unwrap_keys({'module.a': 1}, own=['module.a']) == {'module.a': 1}
    assert unwrap_keys({'model.a': 1, 'head.b': 2}) == {'model.a': 1, 'head.b': 2}
    assert unwrap_keys({'model': 1}) == {'model': 1} and unwrap_keys({}) == {}


def test_averages_beside_the_weights_and_their_counters_are_left():
    assert unwrap_keys({**OWN, 'ema_proj_weight': 5, 'ema_other': 6}) == {**OWN, 'ema_other': 6}
    assert unwrap_keys({'module.a': 1, 'n_averaged': 7}) == {'a': 1}
    assert unwrap_keys({'a': 1, 'steps': 7}) == {'a': 1, 'steps': 7}


def test_two_weights_of_one_name_are_refused(tmp_path):
    with pytest.raises(DataError, match=r'module\.a and a are both those of a'):
        unwrap_keys({'module.a': 1, 'a': 2})
    torch.save({'module.a': torch.ones(1), 'a': torch.ones(1)}, tmp_path / 'w.pth')
    with pytest.raises(DataError, match=r'w\.pth: the weights module\.a'):
        read_weights(tmp_path / 'w.pth')


@pytest.mark.parametrize('before', ['_orig_mod.', 'module.student._orig_mod.', 'student.module.'])
def test_a_checkpoint_of_a_wrapped_model_fits_the_model(before):
    net = torch.nn.Linear(2, 2)
    fitted, _ = fit_to_model({before + key: value for key, value in net.state_dict().items()}, net)
    assert set(fitted) == {'weight', 'bias'}
