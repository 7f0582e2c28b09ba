from types import SimpleNamespace

import pytest

from mmduet.datasets import EpochSampler, ImageOrderSampler


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
