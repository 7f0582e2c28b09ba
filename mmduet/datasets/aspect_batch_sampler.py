"""Batches of images with alike proportions."""
from collections.abc import Iterator
from itertools import islice

import numpy as np
from torch.utils.data import BatchSampler

from mmduet.datasets.protocols import ImageSizeDataset, require
from mmduet.datasets.samplers import EpochSampler
from mmduet.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class SimilarAspectBatchSampler(BatchSampler):
    """Cut batches out of a sampler's order, sorted by aspect ratio within pools of batches that are then shuffled.

    Students that leave padding out (``KeptTokens``) encode a batch in parts, and as many visual tokens of every image of a part
    as the squarest of it has. In RefCOCO's proportions and batches of 8 the parts save as much without this sampler
    (docs/performance.md): it is for students and batches of which that is not true. What counts is the short side over the long
    one: portrait and landscape go together, unlike in MMDetection's ``AspectRatioBatchSampler``, which asks for two kinds of
    images and knows data sets with ``get_data_info`` alone.

    Every index of the sampler comes once, groups of an ``ImageGroupSampler`` stay together but for those that a batch or pool
    cuts, and all depends on the sampler's seed and epoch. Ranks shuffle alike, so that in a step all have their squarest batch,
    or their longest. Images are as annotated: what a random crop makes of one is not known before it is read.

    Args:
        sampler: an ``EpochSampler`` over an ``ImageSizeDataset``; MMEngine's runner passes that of the loader.
        batch_size: B, at least 1; passed likewise.
        drop_last: leave out the last indices of the sampler's order where they fill no batch.
        pool: batches that are sorted together, at least 1: more leave less padding, and less chance.

    Raises:
        ValueError: a number is below 1.
        TypeError: the sampler is of another kind, or the data set does not say how large its images are.
    """

    sampler: EpochSampler

    def __init__(self, sampler: EpochSampler, batch_size: int, drop_last: bool = False, pool: int = 16) -> None:
        for name, value in (('batch_size', batch_size), ('pool', pool)):
            if type(value) is not int or value < 1:
                raise ValueError(f'{name} must be a whole number from 1, got {value!r}')
        if not isinstance(sampler, EpochSampler):
            raise TypeError('SimilarAspectBatchSampler needs a sampler with seed and epoch, such as EpochSampler, got '
                            f'{type(sampler).__name__}')
        require(sampler.dataset, ImageSizeDataset, self)
        super().__init__(sampler, batch_size, drop_last)
        self.pool = pool

    def set_epoch(self, epoch: int) -> None:
        """Order and augmentations of another epoch."""
        self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self.sampler.seed, self.sampler.epoch])
        size, indices = self.batch_size, iter(self.sampler)
        whole = len(self.sampler) // size
        for start in range(0, whole, self.pool):
            pool = list(islice(indices, size * min(self.pool, whole - start)))
            pool.sort(key=self._share)
            yield from (pool[size * number:size * (number + 1)] for number in rng.permutation(len(pool) // size))
        rest = list(indices)
        if rest and not self.drop_last:
            yield rest

    def _share(self, index: int) -> float:
        """Short side over long side of the image of an expression: the share of its canvas that it fills."""
        width, height = self.sampler.dataset.size_of(index)
        return float(min(width, height) / max(width, height))
