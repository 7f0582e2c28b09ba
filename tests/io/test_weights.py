import argparse
import fractions

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file

from mmduet.io.errors import DataError, TruncatedFileError
from mmduet.io.weights import describe_misfit, read_tensor_file, read_weights, some

TENSORS = {'body.weight': torch.ones(2, 2), 'body.bias': torch.zeros(2)}


def test_an_authors_checkpoint_with_namespace_wrapping_and_module_prefix_is_read(tmp_path):
    path = tmp_path / 'authors.pth'
    torch.save({'model': {f'module.{key}': value for key, value in TENSORS.items()}, 'epoch': 3,
                'args': argparse.Namespace(lr=1e-4)}, path)
    weights = read_weights(path)
    assert weights.keys() == TENSORS.keys()
    assert torch.equal(weights['body.weight'], torch.ones(2, 2))


@pytest.mark.parametrize('read', [read_weights, read_tensor_file])
def test_a_checkpoint_that_would_run_code_is_refused(tmp_path, read):
    path = tmp_path / 'evil.pth'
    torch.save({'model': TENSORS, 'extra': fractions.Fraction(1, 2)}, path)
    with pytest.raises(DataError, match=r'evil\.pth holds more than tensors.*could run code.*fractions\.Fraction') as caught:
        read(path)
    assert not isinstance(caught.value, TruncatedFileError)


@pytest.mark.parametrize('name', ['cut.pth', 'cut.safetensors'])
def test_a_truncated_file_is_named(tmp_path, name):
    path = tmp_path / name
    if name.endswith('pth'):
        torch.save(TENSORS, path)
    else:
        save_file(TENSORS, path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(TruncatedFileError, match=name.replace('.', r'\.') + ' is truncated or corrupt'):
        read_weights(path)


def test_a_file_without_tensors_is_named(tmp_path):
    torch.save({'epoch': 1}, tmp_path / 'empty.pth')
    with pytest.raises(ValueError, match=r'empty\.pth: holds no tensor'):
        read_weights(tmp_path / 'empty.pth')


def test_what_mmengine_and_research_code_store_beside_tensors_is_let_in_by_every_way_to_read(tmp_path):
    torch.save({'state_dict': TENSORS, 'args': argparse.Namespace(lr=0.5), 'scores': np.array([1.5]),
                'loss': HistoryBuffer([2.0, 4.0], [1, 1])}, tmp_path / 'all.pth')
    content = read_tensor_file(tmp_path / 'all.pth')
    assert content['args'].lr == 0.5 and content['scores'].tolist() == [1.5] and content['loss'].mean(2) == 3.0
    assert read_weights(tmp_path / 'all.pth').keys() == TENSORS.keys()


def test_weights_that_fit_have_no_misfit_and_others_are_described_in_the_models_order():
    own = {'b': torch.ones(1), 'a': torch.ones(2), 'c': torch.ones(3)}
    assert describe_misfit(dict(reversed(own.items())), own) == ''
    assert describe_misfit({'x': torch.ones(1), 'c': torch.ones(3, 1)}, own) == (
        '2 missing (b, a); 1 unexpected (x); 1 of another shape (c (3, 1) instead of (3,))')


def test_of_many_names_the_first_four_are_told():
    assert some('abcd') == 'a, b, c, d' and some(iter('abcde')) == 'a, b, c, d, ...'
