"""The order of the items, in training and in evaluation."""
from collections.abc import Iterator

from mmengine.dataset import DefaultSampler
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

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


@DATA_SAMPLERS.register_module()
class ImageOrderSampler(Sampler[int]):
    """Evaluation: the expressions of an image come one after another, on one rank, so that it is encoded once for all.

    Images keep the order of their first expressions, and expressions that of the data set. Each rank gets a row of whole
    images with about as many expressions as the others; nothing is repeated, so ranks may differ by a few.

    Args:
        dataset: a ``GroundingDataset``.
        seed: taken, and not needed: the runner passes it to every sampler.
    """

    def __init__(self, dataset: GroundingDataset, seed: int | None = None) -> None:
        by_image: dict[str, list[int]] = {}
        for index, annotation in enumerate(dataset.annotations):
            by_image.setdefault(annotation.image, []).append(index)
        rank, world = get_dist_info()
        self.indices: list[int] = []
        placed = 0
        for indices in by_image.values():
            # The rank in whose share the middle of the image's expressions lies.
            if (2 * placed + len(indices)) * world // (2 * len(dataset)) == rank:
                self.indices += indices
            placed += len(indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)

    def __len__(self) -> int:
        return len(self.indices)
