import pytest
import torch

from mmduet.models.layers.kept_tokens import count_kept, keep_tokens
from mmduet.structures import padding_mask

# On a canvas of 4 x 4 tokens: two rows at the bottom, one column left of the middle, one token.
CONTENT = torch.tensor([[0, 32, 64, 64], [16, 0, 32, 64], [48, 0, 64, 16]])
PADDING = padding_mask(CONTENT, 64, 4)
NUMBERS = torch.arange(16.0).expand(3, -1)[..., None]


def test_each_map_keeps_its_own_rows_and_columns_and_fills_up_with_its_last_token():
    kept = keep_tokens(PADDING, 8)
    assert kept.index.tolist() == [[8, 9, 10, 11, 12, 13, 14, 15], [1, 5, 9, 13, 13, 13, 13, 13], [3] * 8]
    assert kept.padding.int().tolist() == [[0] * 8, [0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1, 1, 1]]
    assert torch.equal(kept.take(NUMBERS)[..., 0].long(), kept.index)


@pytest.mark.parametrize('count', [8, 12, None])
def test_a_map_that_is_put_back_shows_its_border_outside_the_image_whatever_was_kept(count):
    kept = keep_tokens(PADDING, count)
    bottom, column, token = kept.put_back(kept.take(NUMBERS))[..., 0].unflatten(1, (4, 4)).tolist()
    assert bottom == [[8, 9, 10, 11], [8, 9, 10, 11], [8, 9, 10, 11], [12, 13, 14, 15]]
    assert column == [[1] * 4, [5] * 4, [9] * 4, [13] * 4]
    assert token == [[3] * 4] * 4


def test_tokens_that_are_all_kept_stay_where_they_are():
    kept = keep_tokens(PADDING)
    assert kept.index is None and torch.equal(kept.padding, PADDING.flatten(1)) and kept.take(NUMBERS) is NUMBERS


def test_padding_inside_the_rows_and_columns_of_an_image_is_kept_and_masked():
    padding = PADDING[:1].clone()
    padding[0, 2, 0] = True  # a corner, as CLIP-VG rounds it away
    assert count_kept(padding) == 8
    kept = keep_tokens(padding, 8)
    assert kept.index[0, 0] == 8 and kept.padding[0].tolist() == [True] + [False] * 7


def test_expressions_keep_the_tokens_of_their_images():
    kept, index = keep_tokens(PADDING, 8), torch.tensor([2, 0, 0, 1])
    tokens = kept.take(NUMBERS)[index]
    expanded = kept.expand(index)
    assert torch.equal(expanded.take(NUMBERS[index]), tokens) and torch.equal(expanded.padding, kept.padding[index])
    assert torch.equal(expanded.put_back(tokens), kept.put_back(kept.take(NUMBERS))[index])
    assert keep_tokens(PADDING).expand(index).index is None and torch.equal(kept.expand(None).index, kept.index)


@pytest.mark.parametrize(('rows', 'count'), [([0, 1], 8), ([1, 2], 4), ([2], 4), ([0], 8)])
def test_the_largest_image_says_how_many_tokens_are_kept_in_whole_rows(rows, count):
    assert count_kept(PADDING[rows]) == count


def test_a_number_that_is_not_one_of_rows_is_rounded_up_to_one_and_all_are_none():
    content = torch.tensor([[0, 0, 48, 48]])
    assert count_kept(padding_mask(content, 64, 4)) == 12  # of 9
    assert count_kept(padding_mask(content + torch.tensor([0, 0, 16, 0]), 64, 4)) == 12
    assert count_kept(padding_mask(content + 0 * content + torch.tensor([0, 0, 16, 16]), 64, 4)) is None
    assert count_kept(padding_mask(torch.tensor([[0, 0, 64, 49]]), 64, 4)) is None  # a row of which a pixel is seen


def test_gradients_reach_the_tokens_that_maps_show():
    tokens = NUMBERS.clone().requires_grad_()
    kept = keep_tokens(PADDING, 8)
    kept.put_back(kept.take(tokens)).sum().backward()
    assert tokens.grad[0].flatten().tolist() == [0] * 8 + [3] * 4 + [1] * 4
    assert tokens.grad[2].flatten().tolist() == [0, 0, 0, 16] + [0] * 12
