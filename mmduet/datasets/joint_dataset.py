"""Training on several data sets at once, without the images that any of them is tested on."""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from torch.utils.data import Dataset

from mmduet.datasets.grounding_dataset import Encode, GroundingDataset, Item
from mmduet.datasets.leakage import collection_of, evaluation_images, image_key
from mmduet.io.errors import DataError
from mmduet.registry import DATASETS


@DATASETS.register_module()
class JointDataset(Dataset[Item]):
    """Expressions of several data sets, one after the other, less those on images of evaluation splits.

    RefCOCO, RefCOCO+ and RefCOCOg take their images from COCO and split them differently, so that training on all
    three shows a model images that it is tested on, unless they are excluded.

    Args:
        datasets: configs of ``GroundingDataset``.
        exclude: mappings of ``data_root`` and, unless all its evaluation splits are meant, ``splits``, names of those whose
            images are left out of all data sets. What this removed is told in one message.

    Raises:
        DataError: there is no data set, one of the roots is missing, or nothing is left.
    """

    def __init__(self, datasets: Sequence[dict[str, Any]], exclude: Sequence[Mapping[str, Any]] = ()) -> None:
        if not datasets:
            raise DataError('a joint data set needs at least one data set')
        self.datasets: list[GroundingDataset] = [DATASETS.build(dataset) for dataset in datasets]
        excluded = evaluation_images(exclude)
        self._rows = np.array([(number, index) for number, dataset in enumerate(self.datasets)
                                 for index in _kept(dataset, excluded)], dtype=np.int64).reshape(-1, 2)
        if not len(self._rows):
            raise DataError('nothing is left to train on: every image of the joint data set is excluded')
        self.metainfo: dict[str, Any] = {
            'dataset_name': '+'.join(dataset.metainfo['dataset_name'] for dataset in self.datasets),
            'splits': [split for dataset in self.datasets for split in dataset.metainfo['splits']]}

    def set_epoch(self, epoch: int) -> None:
        """Draw the augmentations of another epoch from now on, in every worker."""
        for dataset in self.datasets:
            dataset.set_epoch(epoch)

    def set_seed(self, seed: int) -> None:
        """Draw the augmentations of another run from now on, in every worker; those of the data sets differ."""
        for number, dataset in enumerate(self.datasets):
            dataset.set_seed(seed + number)

    def set_tokenizer(self, encode: Encode) -> None:
        """See ``GroundingDataset.set_tokenizer``."""
        for dataset in self.datasets:
            dataset.set_tokenizer(encode)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Item:
        number, row = self._rows[index].tolist()
        return self.datasets[number][row]


def _kept(dataset: GroundingDataset, excluded: set[tuple[str, int | str]]) -> list[int]:
    """Indices of the expressions whose image is not excluded."""
    if not excluded:
        return list(range(len(dataset)))
    collection = collection_of(Path(dataset.data_root))
    kept = [index for index, annotation in enumerate(dataset.annotations)
            if image_key(annotation.image_id, annotation.image, collection) not in excluded]
    print_log(f'{dataset.data_root}: {len(dataset) - len(kept):,} of {len(dataset):,} expressions are on images that a data '
              'set is tested on, and were left out', logger='current')
    return kept
