"""The order of the training items."""
from mmengine.dataset import DefaultSampler

from mmduet.datasets.grounding_dataset import GroundingDataset
from mmduet.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class EpochSampler(DefaultSampler):
    """MMEngine's default sampler, which also tells the dataset the run's seed and the epoch.

    Without it every epoch repeats the augmentations of the first.

    Args:
        dataset: a ``GroundingDataset``.
        shuffle: order by seed and epoch instead of by index.
        seed: the same on every rank; the runner passes the run's.
        round_up: repeat items so that every rank has equally many.

    Raises:
        TypeError: the dataset has no epochs.
    """

    def __init__(self, dataset: GroundingDataset, shuffle: bool = True, seed: int | None = None, round_up: bool = True) -> None:
        if not (hasattr(dataset, 'set_epoch') and hasattr(dataset, 'set_seed')):
            raise TypeError('EpochSampler needs a dataset with set_epoch and set_seed, such as GroundingDataset, got '
                            f'{type(dataset).__name__}')
        super().__init__(dataset, shuffle=shuffle, seed=seed, round_up=round_up)
        dataset.set_seed(self.seed)

    def set_epoch(self, epoch: int) -> None:
        """Order and augmentations of another epoch."""
        super().set_epoch(epoch)
        self.dataset.set_epoch(epoch)
