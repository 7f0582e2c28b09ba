import pytest

from mmduet.datasets.grounding_dataset import GroundingDataset
from mmduet.datasets.joint_dataset import JointDataset
from mmduet.datasets.protocols import EpochDataset, ImageNamingDataset, require


class Epochs:
    """Somebody's data set, of no class of ours."""

    def __len__(self):
        return 3

    def set_epoch(self, epoch):
        pass

    def set_seed(self, seed):
        pass


@pytest.mark.parametrize('kind', [GroundingDataset, JointDataset])
@pytest.mark.parametrize('protocol', [EpochDataset, ImageNamingDataset])
def test_ours_can_do_all_of_it(kind, protocol):
    require(object.__new__(kind), protocol, 'a sampler')


def test_a_data_set_of_anybodys_needs_the_methods_alone():
    require(Epochs(), EpochDataset, 'a sampler')


class Passing:
    """A wrapper, whose class has none of the methods."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __getattr__(self, name):
        return getattr(self.dataset, name)

    def __len__(self):
        return len(self.dataset)


def test_a_wrapper_has_the_methods_that_it_passes_on():
    require(Passing(Epochs()), EpochDataset, 'a sampler')
    with pytest.raises(TypeError, match='needs a dataset with image_of, such as GroundingDataset, got Passing'):
        require(Passing(Epochs()), ImageNamingDataset, 'a sampler')


@pytest.mark.parametrize(('dataset', 'protocol', 'missing'), [
    (Epochs(), ImageNamingDataset, 'image_of'), ([], EpochDataset, 'set_epoch and set_seed'),
    (object(), ImageNamingDataset, '__len__ and image_of and set_epoch and set_seed')])
def test_what_is_missing_is_named_with_who_asks(dataset, protocol, missing):
    with pytest.raises(TypeError, match=f'^str needs a dataset with {missing}, such as GroundingDataset, got '
                                        f'{type(dataset).__name__}$'):
        require(dataset, protocol, 'a sampler')
