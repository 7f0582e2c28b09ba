"""The order of the items, in training and in evaluation."""
from collections.abc import Iterator

import numpy as np
from mmengine.dataset import DefaultSampler
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from mmduet.datasets.grounding_dataset import GroundingDataset
from mmduet.datasets.grouped_index import GroupedIndex
from mmduet.datasets.protocols import EpochDataset, ImageNamingDataset, require
from mmduet.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class EpochSampler(DefaultSampler):
    """MMEngine's default sampler, which also tells the dataset the run's seed and the epoch.

    Without it every epoch repeats the augmentations of the first.

    Args:
        dataset: a ``GroundingDataset``, or any ``EpochDataset``.
        shuffle: order by seed and epoch instead of by index.
        seed: the same on every rank; the runner passes the run's.
        round_up: repeat items so that every rank has equally many.

    Raises:
        TypeError: the dataset has no epochs.
    """

    def __init__(self, dataset: EpochDataset, shuffle: bool = True, seed: int | None = None, round_up: bool = True) -> None:
        require(dataset, EpochDataset, self)
        super().__init__(dataset, shuffle=shuffle, seed=seed, round_up=round_up)
        dataset.set_seed(self.seed)

    def set_epoch(self, epoch: int) -> None:
        """Order and augmentations of another epoch."""
        super().set_epoch(epoch)
        self.dataset.set_epoch(epoch)


@DATA_SAMPLERS.register_module()
class ImageGroupSampler(EpochSampler):
    """Training: up to k expressions of an image come one after another and share a view of it, which is encoded once.

    Every expression comes once an epoch. Each epoch the expressions of an image are shuffled and cut into groups of nearly
    equal size, at most k, and the groups are shuffled; all of it depends on seed and epoch alone. Each rank has an equal piece
    of that order, so that at most one group less than there are ranks is cut in two (and drawn alike on both).

    A batch of B expressions then has about B / k images: it costs less, and is more alike. See docs/performance.md.

    Args:
        dataset: a ``GroundingDataset`` or ``JointDataset``, or any ``ImageNamingDataset``.
        expressions_per_image: k; 1 for a view of its own for every expression.
        shuffle, seed, round_up: see ``EpochSampler``.

    Raises:
        ValueError: k below 1.
        TypeError: the dataset has no epochs, or does not say which image an expression is about.
    """

    def __init__(self, dataset: ImageNamingDataset, expressions_per_image: int = 4, shuffle: bool = True,
                 seed: int | None = None, round_up: bool = True) -> None:
        if type(expressions_per_image) is not int or expressions_per_image < 1:
            raise ValueError(f'expressions_per_image must be a whole number from 1, got {expressions_per_image!r}')
        require(dataset, ImageNamingDataset, self)
        super().__init__(dataset, shuffle=shuffle, seed=seed, round_up=round_up)
        self.expressions_per_image = expressions_per_image
        by_image: dict[str, list[int]] = {}
        for index in range(len(dataset)):
            by_image.setdefault(dataset.image_of(index), []).append(index)
        self._images = [np.array(indices) for indices in by_image.values()]

    @property
    def views_per_epoch(self) -> int:
        """How many views of images an epoch has, over all ranks."""
        return sum(-(-len(members) // self.expressions_per_image) for members in self._images)

    def __iter__(self) -> Iterator[int]:
        order = [GroupedIndex(index, group) for group in self._groups() for index in group]
        if self.round_up:
            order = (order * (self.total_size // len(order) + 1))[:self.total_size]
        # As many for each rank as ``EpochSampler`` gives it, in one piece.
        ends = np.cumsum([-(-(len(order) - rank) // self.world_size) for rank in range(self.world_size)])
        return iter(order[ends[self.rank] - self.num_samples:ends[self.rank]])

    def _groups(self) -> list[tuple[int, ...]]:
        """The groups of this epoch, in its order."""
        rng = np.random.default_rng([self.seed, self.epoch])
        groups = []
        for indices in self._images:
            members = rng.permutation(indices) if self.shuffle else indices
            pieces = -(-len(members) // self.expressions_per_image)
            groups += [tuple(piece.tolist()) for piece in np.array_split(members, pieces)]
        return [groups[k] for k in rng.permutation(len(groups))] if self.shuffle else groups


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
