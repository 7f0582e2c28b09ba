"""Data overlap: whether pre-training saw the images that a score is measured on, which is reported with every score."""
from collections.abc import Sequence


def excluded_from_pretraining(excludes: Sequence[str] | None, dataset: str) -> str:
    """``'yes'``, ``'no'`` or ``'unknown'`` for a data set, or for several joined by ``+``, none of which may overlap.

    ``excludes`` names data sets none of whose val and test images were seen, None where it is not stated. What follows the name
    of a data set, as a protocol in brackets, does not count.
    """
    if excludes is None:
        return 'unknown'
    return 'yes' if all(name.partition(' ')[0] in excludes for name in dataset.split('+')) else 'no'


def describe_overlap(excludes: Sequence[str] | None, dataset: str) -> str:
    """The same as a sentence for logs."""
    return f'val and test images of {dataset} kept out of pre-training: {excluded_from_pretraining(excludes, dataset)}'
