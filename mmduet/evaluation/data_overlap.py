"""The word that goes with every score: whether the images it is measured on were kept out of pre-training."""
from collections.abc import Sequence

ANSWERS = ('yes', 'no', 'unknown')


def excluded_from_pretraining(excludes: Sequence[str] | None, dataset: str) -> str:
    """``'yes'``, ``'no'`` or ``'unknown'`` for a data set, or for several joined by ``+``, all of which must be kept out.

    Args:
        excludes: names of data sets none of whose val and test images were seen; None where nobody says it.
        dataset: name; what follows it, as a protocol in brackets, does not count.
    """
    if excludes is None:
        return 'unknown'
    return 'yes' if all(name.partition(' ')[0] in excludes for name in dataset.split('+')) else 'no'


def describe_overlap(excludes: Sequence[str] | None, dataset: str) -> str:
    """The sentence."""
    return f'val and test images of {dataset} kept out of pre-training: {excluded_from_pretraining(excludes, dataset)}'
