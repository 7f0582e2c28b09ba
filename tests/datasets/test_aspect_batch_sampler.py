from itertools import pairwise

import numpy as np
import pytest

from mmduet.datasets import EpochSampler, ImageGroupSampler, ImageOrderSampler, SimilarAspectBatchSampler
from mmduet.datasets.grouped_index import group_of
from tests.datasets.test_samplers import Grouped, Images

SIZES = [(640, 480), (480, 640), (640, 640), (640, 360), (500, 333)]


class Sized(Grouped):
    """Expressions of images, by letter, with sizes in turn."""

    def size_of(self, index):
        return SIZES[ord(self.images[index]) % len(SIZES)]


IMAGES = 'abcdefghij' * 3 + 'ab'


def shares(batch):
    return [min(size) / max(size) for size in (Sized(IMAGES).size_of(index) for index in batch)]


def make(kind=EpochSampler, seed=3, **options):
    return SimilarAspectBatchSampler(kind(Sized(IMAGES), seed=seed), **{'batch_size': 4, 'pool': 4, **options})


@pytest.mark.parametrize('drop_last', [False, True])
@pytest.mark.parametrize(('size', 'pool'), [(1, 1), (4, 1), (4, 4), (5, 3), (7, 16), (40, 2)])
def test_every_expression_comes_once_an_epoch_in_batches_of_alike_images(size, pool, drop_last):
    sampler = make(batch_size=size, pool=pool, drop_last=drop_last)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        order = list(sampler.sampler)
        assert len(batches) == len(sampler) and [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
        # What fills no batch are the last of the order, whatever their images, so that none is always left out.
        given = order[:len(order) // size * size] if drop_last else order
        assert sorted(index for batch in batches for index in batch) == sorted(given)
        for start in range(0, len(order) // size, pool):
            kept = batches[start:start + pool][:len(order) // size - start]
            ranges = sorted((min(shares(batch)), max(shares(batch))) for batch in kept)
            assert all(low[1] <= high[0] for low, high in pairwise(ranges))


def test_portrait_and_landscape_go_together_and_batches_of_a_pool_are_shuffled():
    batches = list(make(batch_size=3, pool=10))[:10]
    assert any({SIZES[0], SIZES[1]} <= {Sized(IMAGES).size_of(index) for index in batch} for batch in batches)
    means = [np.mean(shares(batch)) for batch in batches]
    assert means != sorted(means)


def test_batches_depend_on_seed_and_epoch_alone():
    def batches(seed, epoch):
        sampler = make(seed=seed)
        sampler.set_epoch(epoch)
        assert sampler.sampler.dataset.epoch == epoch
        return list(sampler)
    assert batches(3, 0) == batches(3, 0)
    assert len({str(batches(*given)) for given in ((3, 0), (3, 1), (4, 0))}) == 3


def test_a_larger_pool_leaves_less_padding():
    def encoded(pool):
        return sum(len(batch) * max(shares(batch)) for batch in make(pool=pool))
    assert encoded(8) < 0.9 * encoded(1)


def test_expressions_that_are_drawn_together_stay_together():
    whole = [group for batch in make(ImageGroupSampler, batch_size=4, pool=2) for group in {group_of(k) for k in batch}
             if set(group) <= set(batch)]
    batches = list(make(ImageGroupSampler, batch_size=4, pool=2))
    assert len(whole) >= 6
    for batch in batches:
        first = [group_of(index) for index in batch]
        assert sum(one != other for one, other in pairwise(first)) == len(set(first)) - 1


@pytest.mark.parametrize('kind', [EpochSampler, ImageGroupSampler])
def test_ranks_share_all_expressions_and_have_their_squarest_batches_together(monkeypatch, kind):
    ranks = []
    for rank in (0, 1):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, 2))
        ranks.append(list(make(kind, batch_size=4, pool=4)))
    assert sorted(index for batches in ranks for batch in batches for index in batch) == list(range(32))
    squarest = [[max(shares(batch)) for batch in batches] for batches in ranks]
    assert len(ranks[0]) == 4 and np.argmax(squarest[0]) == np.argmax(squarest[1])


@pytest.mark.parametrize(('wrong', 'error', 'message'), [
    (dict(batch_size=0), ValueError, 'batch_size must be a whole number from 1, got 0'),
    (dict(batch_size=2.0), ValueError, 'batch_size must be a whole number from 1, got 2.0'),
    (dict(pool=0), ValueError, 'pool must be a whole number from 1, got 0'),
    (dict(pool=True), ValueError, 'pool must be a whole number from 1, got True'),
    (dict(sampler=ImageOrderSampler(Images('a', 'b'))), TypeError,
     'needs a sampler with seed and epoch, such as EpochSampler, got ImageOrderSampler'),
    (dict(sampler=EpochSampler(Grouped('ab'), seed=1)), TypeError,
     'needs a dataset with size_of, such as GroundingDataset, got Grouped')])
def test_what_cannot_be_sorted_is_refused(wrong, error, message):
    with pytest.raises(error, match=message):
        SimilarAspectBatchSampler(**{'sampler': EpochSampler(Sized(IMAGES), seed=1), 'batch_size': 4, **wrong})
