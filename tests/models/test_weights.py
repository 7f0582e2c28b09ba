import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mmduet.models.weights import load_partial_weights

TENSORS = {'body.weight': torch.ones(2, 2), 'body.bias': torch.zeros(2)}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(2, 2)
        self.head = nn.Linear(2, 1)


def test_a_safetensors_file_with_module_prefix_and_half_precision_becomes_the_model_in_its_own(tmp_path):
    halves = {f'module.{key}': value.half() for key, value in TENSORS.items()}
    save_file(halves, tmp_path / 'theirs.safetensors')
    model = Model()
    load_partial_weights(model, tmp_path / 'theirs.safetensors')
    assert torch.equal(model.body.weight, torch.ones(2, 2)) and model.body.weight.dtype == torch.float32


def test_a_whole_part_loads_and_the_rest_stays(tmp_path):
    save_file(TENSORS, tmp_path / 'part.safetensors')
    model = Model()
    head = model.head.weight.clone()
    load_partial_weights(model, tmp_path / 'part.safetensors')
    assert torch.equal(model.body.weight, torch.ones(2, 2))
    assert torch.equal(model.head.weight, head)


def test_half_a_part_and_wrong_shapes_and_strangers_are_all_named(tmp_path):
    save_file({'body.weight': torch.ones(3, 2), 'body.extra': torch.ones(1)}, tmp_path / 'other.safetensors')
    with pytest.raises(ValueError, match=r'1 missing \(body\.bias\); 1 unexpected \(body\.extra\); '
                                         r'1 of another shape \(body\.weight \(3, 2\) instead of \(2, 2\)\)'):
        load_partial_weights(Model(), tmp_path / 'other.safetensors')


def test_a_missing_file_says_how_to_make_it_or_run_without(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'gone\.safetensors: not found.*mmduet convert.*--no-pretrained'):
        load_partial_weights(Model(), tmp_path / 'gone.safetensors')
