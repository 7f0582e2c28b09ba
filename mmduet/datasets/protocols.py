"""What a data set of anybody's must be able to do for the samplers: they ask for it when they are built, by ``require``.

``GroundingDataset`` and ``JointDataset`` are all of these; one of your own needs the methods and no base class.
"""
from typing import Protocol


class EpochDataset(Protocol):
    """Draws its augmentations from the run's seed and the epoch."""

    def __len__(self) -> int:
        """How many items it has."""
        ...

    def set_epoch(self, epoch: int) -> None:
        """Draw the augmentations of another epoch from now on."""

    def set_seed(self, seed: int) -> None:
        """Draw the augmentations of another run from now on."""


class ImageNamingDataset(EpochDataset, Protocol):
    """Says which expressions are about one image."""

    def image_of(self, index: int) -> str:
        """The image that an expression is about, by a name that is equal for equal images."""
        ...


def require(dataset: object, protocol: type, who: object) -> None:
    """Ask whether a data set can do what a protocol of this file says.

    Raises:
        TypeError: it cannot; names ``who`` asks, by its class, and the methods that are missing.
    """
    asked = {name for base in protocol.__mro__ for name in vars(base) if name == '__len__' or not name.startswith('_')}
    # Not by isinstance, which from Python 3.12 on does not see what a wrapper passes on by __getattr__.
    if missing := [name for name in sorted(asked) if not callable(getattr(dataset, name, None))]:
        raise TypeError(f'{type(who).__name__} needs a dataset with {" and ".join(missing)}, such as GroundingDataset, got '
                        f'{type(dataset).__name__}')
