import pickle
from types import SimpleNamespace

import pytest

from mmduet.datasets import EpochSampler, ImageGroupSampler, ImageOrderSampler
from mmduet.datasets.grouped_index import GroupedIndex, group_of


class Recorder:
    def __init__(self):
        self.seed = self.epoch = None

    def __len__(self):
        return 10

    def set_seed(self, seed):
        self.seed = seed

    def set_epoch(self, epoch):
        self.epoch = epoch


def test_the_dataset_hears_of_the_runs_seed_and_of_every_epoch():
    dataset = Recorder()
    sampler = EpochSampler(dataset, seed=7)
    assert (dataset.seed, dataset.epoch) == (7, None)
    sampler.set_epoch(3)
    assert (dataset.seed, dataset.epoch) == (7, 3)


def test_every_epoch_has_another_order_of_all_items():
    sampler = EpochSampler(Recorder(), seed=7)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_a_dataset_that_would_repeat_its_augmentations_is_refused():
    with pytest.raises(TypeError, match='needs a dataset with set_epoch and set_seed, such as GroundingDataset, got list'):
        EpochSampler([1, 2, 3], seed=1)


class Images:
    """Expressions of images, by name."""

    def __init__(self, *images):
        self.annotations = [SimpleNamespace(image=image) for image in images]

    def __len__(self):
        return len(self.annotations)


def indices_of_ranks(monkeypatch, dataset, world):
    shares = []
    for rank in range(world):
        monkeypatch.setattr('mmduet.datasets.samplers.get_dist_info', lambda rank=rank: (rank, world))
        shares.append(list(ImageOrderSampler(dataset, seed=1)))
    return shares


def test_expressions_of_an_image_come_together_in_the_order_of_the_data():
    sampler = ImageOrderSampler(Images('b', 'a', 'b', 'c', 'a', 'b'))
    assert list(sampler) == [0, 2, 5, 1, 4, 3] and len(sampler) == 6


@pytest.mark.parametrize('world', [1, 2, 3, 7])
def test_every_expression_is_on_one_rank_with_all_of_its_image(monkeypatch, world):
    dataset = Images(*'aabcccddddefggghij')
    shares = indices_of_ranks(monkeypatch, dataset, world)
    assert sorted(index for share in shares for index in share) == list(range(18))
    images = [{dataset.annotations[index].image for index in share} for share in shares]
    assert sum(map(len, images)) == 10
    assert max(map(len, shares)) - min(map(len, shares)) <= 2 * 4


class Grouped(Recorder):
    """Expressions of images, by letter."""

    def __init__(self, images):
        super().__init__()
        self.images = images

    def __len__(self):
        return len(self.images)

    def image_of(self, index):
        return self.images[index]


IMAGES = 'abacadaeabacc'  # six of a, two of b, three of c, one of d and of e


def rank_orders(monkeypatch, world, **options):
    orders = []
    for rank in range(world):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, world))
        sampler = ImageGroupSampler(Grouped(IMAGES), seed=3, **options)
        orders.append(list(sampler))
        assert len(sampler) == len(orders[-1])
    return orders


@pytest.mark.parametrize('k', [1, 2, 4, 7])
@pytest.mark.parametrize('shuffle', [True, False])
def test_every_expression_comes_once_beside_those_it_is_drawn_with(k, shuffle):
    dataset = Grouped(IMAGES)
    sampler = ImageGroupSampler(dataset, expressions_per_image=k, shuffle=shuffle, seed=3)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        order = list(sampler)
        assert sorted(order) == list(range(13)) and (dataset.seed, dataset.epoch) == (3, epoch)
        place = 0
        while place < len(order):
            group = group_of(order[place])
            assert tuple(order[place:place + len(group)]) == group and len(group) <= k
            assert len({IMAGES[index] for index in group}) == 1
            assert all(group_of(index) == group for index in order[place:place + len(group)])
            place += len(group)
        groups = {group_of(index) for index in order}
        # As few as there can be, and of nearly equal size.
        for letter in 'abcde':
            sizes = [len(group) for group in groups if IMAGES[group[0]] == letter]
            assert len(sizes) == -(-IMAGES.count(letter) // k) and max(sizes) - min(sizes) <= 1
    if not shuffle:
        assert order[:6] == [0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize(('k', 'views'), [(1, 13), (2, 8), (4, 6), (6, 5)])
def test_the_views_of_an_epoch_are_counted(k, views):
    sampler = ImageGroupSampler(Grouped(IMAGES), expressions_per_image=k, seed=3)
    assert sampler.views_per_epoch == views == len({group_of(index) for index in sampler})


def test_groups_and_their_order_depend_on_seed_and_epoch_alone():
    def order(seed, epoch):
        sampler = ImageGroupSampler(Grouped(IMAGES), expressions_per_image=2, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler), [group_of(index) for index in sampler]
    assert order(3, 0) == order(3, 0)
    assert len({str(order(seed, epoch)) for seed, epoch in ((3, 0), (3, 1), (4, 0))}) == 3


@pytest.mark.parametrize('world', [1, 2, 3, 5])
@pytest.mark.parametrize('round_up', [True, False])
def test_ranks_share_the_order_in_pieces_of_the_default_samplers_length(monkeypatch, world, round_up):
    whole = rank_orders(monkeypatch, 1, expressions_per_image=3)[0]
    orders = rank_orders(monkeypatch, world, expressions_per_image=3, round_up=round_up)
    joined = [index for order in orders for index in order]
    assert joined[:13] == whole and [group_of(index) for index in joined[:13]] == [group_of(index) for index in whole]
    assert joined[13:] == (whole[:-13 % world] if round_up else [])
    assert max(map(len, orders)) - min(map(len, orders)) <= (0 if round_up else 1)


def test_an_index_keeps_its_group_on_the_way_to_a_worker():
    index = pickle.loads(pickle.dumps(GroupedIndex(4, (1, 4))))
    assert index == 4 and [5, 6, 7, 8, 9][index] == 9 and group_of(index) == (1, 4) and group_of(7) == (7, )


@pytest.mark.parametrize('k', [0, -1, 2.0, True, '4'])
def test_another_number_of_expressions_is_refused(k):
    with pytest.raises(ValueError, match=f'expressions_per_image must be a whole number from 1, got {k!r}'):
        ImageGroupSampler(Grouped(IMAGES), expressions_per_image=k)


def test_a_dataset_that_does_not_tell_its_images_is_refused():
    with pytest.raises(TypeError, match='needs a dataset with image_of, such as GroundingDataset, got Recorder'):
        ImageGroupSampler(Recorder(), seed=1)
