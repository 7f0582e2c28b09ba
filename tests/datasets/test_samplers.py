import pytest

from mmduet.datasets import EpochSampler


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
