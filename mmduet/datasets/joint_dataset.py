"""Training on several data sets at once, without the images that any of them is tested on."""
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log
from torch.utils.data import ConcatDataset, Subset

from mmduet.datasets.grounding_dataset import Encode, GroundingDataset, Item, draws_one_by_one
from mmduet.datasets.grouped_index import GroupedIndex, group_of
from mmduet.datasets.leakage import ImageKey, collection_of, evaluation_images, image_key
from mmduet.datasets.transforms.shared_view import share_equal_views
from mmduet.io.errors import DataError
from mmduet.registry import DATASETS


@DATASETS.register_module()
class JointDataset(ConcatDataset[Item]):
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
        self.parts: list[GroundingDataset] = [DATASETS.build(dataset) for dataset in datasets]
        for part in self.parts:
            part.set_coco_folders(other.image_dir for other in self.parts if other.is_of_coco)
        excluded = evaluation_images(exclude)
        self._kept = [_kept(part, excluded) for part in self.parts]
        super().__init__([Subset(part, kept) for part, kept in zip(self.parts, self._kept, strict=True)])
        if not len(self):
            raise DataError('nothing is left to train on: every image of the joint data set is excluded')
        self.metainfo: dict[str, Any] = {
            'dataset_name': '+'.join(part.metainfo['dataset_name'] for part in self.parts),
            'splits': [split for part in self.parts for split in part.metainfo['splits']]}

    def __getitem__(self, index: int) -> Item:
        number, inner = self._locate_grouped(index if index >= 0 else range(len(self))[index])
        return self.parts[number][inner]

    def __getitems__(self, indices: Sequence[int]) -> list[Item]:
        """See ``GroundingDataset.__getitems__``; a group lies in one data set."""
        if draws_one_by_one(self, JointDataset):
            one_by_one = [self[index] for index in indices]
            return self.parts[0].with_tokens(share_equal_views(one_by_one, [group_of(index) for index in indices]))
        wanted: dict[int, list[tuple[int, GroupedIndex]]] = {}
        for position, index in enumerate(indices):
            number, inner = self._locate_grouped(index)
            wanted.setdefault(number, []).append((position, inner))
        items: list[Item] = [{}] * len(indices)
        for number, members in wanted.items():
            drawn = self.parts[number].__getitems__([index for _, index in members])
            for (position, _), item in zip(members, drawn, strict=True):
                items[position] = item
        return items

    def image_of(self, index: int) -> str:
        """See ``GroundingDataset.image_of``; equal for images of one data set alone, which bring expressions of one kind."""
        number, inner = self._locate(index)
        return f'{number}/{self.parts[number].image_of(inner)}'

    def _locate(self, index: int) -> tuple[int, int]:
        """The data set of an expression, and its index there."""
        number = bisect_right(self.cumulative_sizes, index)
        before = self.cumulative_sizes[number - 1] if number else 0
        return number, self._kept[number][index - before]

    def _locate_grouped(self, index: int) -> tuple[int, GroupedIndex]:
        number, inner = self._locate(index)
        return number, GroupedIndex(inner, tuple(self._locate(member)[1] for member in group_of(index)))

    def set_epoch(self, epoch: int) -> None:
        """Draw the augmentations of another epoch from now on, in every worker."""
        for part in self.parts:
            part.set_epoch(epoch)

    def set_seed(self, seed: int) -> None:
        """Draw the augmentations of another run from now on, in every worker; those of the data sets differ."""
        for number, part in enumerate(self.parts):
            part.set_seed(seed + number)

    def set_tokenizer(self, encode: Encode) -> None:
        """See ``GroundingDataset.set_tokenizer``."""
        for part in self.parts:
            part.set_tokenizer(encode)


def _kept(dataset: GroundingDataset, excluded: set[ImageKey]) -> Sequence[int]:
    """Indices of the expressions whose image is not excluded, in one piece of memory that workers share."""
    if not excluded:
        return range(len(dataset))
    collection = collection_of(dataset.data_root)
    kept = array('q', (index for index, annotation in enumerate(dataset.annotations)
                       if image_key(annotation.image_id, annotation.image, collection) not in excluded))
    print_log(f'{dataset.data_root}: {len(dataset) - len(kept):,} of {len(dataset):,} expressions are on images that a data '
              'set is tested on, and were left out', logger='current')
    return kept
