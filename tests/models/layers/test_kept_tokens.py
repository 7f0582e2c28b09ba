import pytest
import torch

from mmduet.models.layers.kept_tokens import count_kept, in_parts, keep_tokens, part_size
from mmduet.structures import padding_mask

# On a canvas of 4 x 4 tokens: two rows at the bottom, one column left of the middle, one token.
CONTENT = torch.tensor([[0, 32, 64, 64], [16, 0, 32, 64], [48, 0, 64, 16]])
PADDING = padding_mask(CONTENT, 64, 4)
NUMBERS = torch.arange(16.0).expand(3, -1)[..., None]


def test_each_map_keeps_its_own_rows_and_columns_and_fills_up_with_its_last_token():
    kept, = keep_tokens(PADDING, [8])
    assert kept.index.tolist() == [[8, 9, 10, 11, 12, 13, 14, 15], [1, 5, 9, 13, 13, 13, 13, 13], [3] * 8]
    assert kept.padding.int().tolist() == [[0] * 8, [0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1, 1, 1]]
    assert torch.equal(kept.take(NUMBERS)[..., 0].long(), kept.index)


@pytest.mark.parametrize('count', [8, 12, None])
def test_a_map_that_is_put_back_shows_its_border_outside_the_image_whatever_was_kept(count):
    kept, = keep_tokens(PADDING, count and [count])
    bottom, column, token = kept.put_back(kept.take(NUMBERS))[..., 0].unflatten(1, (4, 4)).tolist()
    assert bottom == [[8, 9, 10, 11], [8, 9, 10, 11], [8, 9, 10, 11], [12, 13, 14, 15]]
    assert column == [[1] * 4, [5] * 4, [9] * 4, [13] * 4]
    assert token == [[3] * 4] * 4


def test_tokens_that_are_all_kept_stay_where_they_are():
    kept, = keep_tokens(PADDING)
    assert kept.index is None and torch.equal(kept.padding, PADDING.flatten(1)) and kept.take(NUMBERS) is NUMBERS


def test_padding_inside_the_rows_and_columns_of_an_image_is_kept_and_masked():
    padding = PADDING[:1].clone()
    padding[0, 2, 0] = True  # a corner, as CLIP-VG rounds it away
    assert count_kept(padding) == (8, )
    kept, = keep_tokens(padding, [8])
    assert kept.index[0, 0] == 8 and kept.padding[0].tolist() == [True] + [False] * 7


def test_parts_take_images_of_alike_number_and_give_them_back_in_the_order_of_the_batch():
    padding, numbers = PADDING[[0, 2, 1]], NUMBERS + 100 * torch.arange(3.0)[:, None, None]
    parts = keep_tokens(padding, [4, 8])
    # Those of one and of four tokens, then that of eight.
    assert [part.images.tolist() for part in parts] == [[1, 2], [0]]
    assert [part.take(numbers)[..., 0].tolist() for part in parts] == [
        [[103] * 4, [201, 205, 209, 213]], [[8, 9, 10, 11, 12, 13, 14, 15]]]
    maps, picked = in_parts(parts, lambda part: (part.put_back(part.take(numbers)), part.pick(torch.tensor([5, 6, 7]))))
    whole, = keep_tokens(padding)
    assert torch.equal(maps, whole.put_back(numbers)) and picked.tolist() == [5, 6, 7]


def test_one_part_is_the_batch_as_it_is():
    part, = keep_tokens(PADDING, [8])
    assert part.images is None and in_parts([part], lambda part: (NUMBERS, ))[0] is NUMBERS


@pytest.mark.parametrize(('images', 'size'), [(1, 2), (2, 2), (3, 2), (8, 2), (9, 3), (64, 16), (65, 17)])
def test_a_batch_has_at_most_four_parts_of_two_images_at_least(images, size):
    assert part_size(images) == size and -(-images // size) <= 4


@pytest.mark.parametrize(('rows', 'counts'), [([0, 1], [8]), ([1, 2], [4]), ([2], [4]), ([0], [8]), ([0, 1, 2], [4, 8]),
                                              ([0, 1, 2, 2, 0, 1, 2, 2], [4, 4, 4, 8])])
def test_the_fullest_image_of_a_part_says_how_many_tokens_are_kept_in_whole_rows(rows, counts):
    assert count_kept(PADDING[rows]) == tuple(counts)
    assert [part.padding.shape[1] for part in keep_tokens(PADDING[rows], counts)] == counts


def test_a_number_that_is_not_one_of_rows_is_rounded_up_to_one_and_all_are_none():
    content = torch.tensor([[0, 0, 48, 48]])
    assert count_kept(padding_mask(content, 64, 4)) == (12, )  # of 9
    full = torch.tensor([[0, 0, 64, 64]])
    assert count_kept(padding_mask(full, 64, 4)) is None
    assert count_kept(padding_mask(torch.tensor([[0, 0, 64, 49]]), 64, 4)) is None  # a row of which a pixel is seen
    assert count_kept(padding_mask(torch.cat([full, content, full]), 64, 4)) is None  # whose first part is full, too
    assert count_kept(padding_mask(torch.cat([full, content, content]), 64, 4)) == (12, 16)


def test_gradients_reach_the_tokens_that_maps_show():
    tokens = NUMBERS.clone().requires_grad_()
    maps, = in_parts(keep_tokens(PADDING, [4, 8]), lambda part: (part.put_back(part.take(tokens)), ))
    maps.sum().backward()
    assert tokens.grad[0].flatten().tolist() == [0] * 8 + [3] * 4 + [1] * 4
    assert tokens.grad[2].flatten().tolist() == [0, 0, 0, 16] + [0] * 12
