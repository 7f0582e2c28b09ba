"""Which expressions of a batch mean the same object."""
import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from mmduet.structures.axes import check_axes
from mmduet.structures.boxes import iou_cxcywh


@lru_cache(maxsize=1 << 16)
def image_number(path: str) -> int:
    """The same 64 bits for a file by whatever path it is found, in every process of a machine."""
    return stable_number(os.fsencode(os.path.realpath(path)))


def number_of_coco(image_id: int) -> int:
    """The same 64 bits for an image of COCO in whatever copy, archive or release, other than those of any file."""
    return stable_number(f'image {image_id} of COCO'.encode())


def stable_number(text: bytes) -> int:
    """The same 64 bits for a text in every process; not ``hash``, which Python salts, so that ranks would disagree."""
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), 'big', signed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetIdentity:
    """The image and the target of each of B expressions, comparable across views of an image and across ranks."""

    image: Tensor  # (B,) int64 number of the image, by COCO's id or else by its file, whatever data set brings it
    boxes: Tensor  # (B, 4) float32 target, cxcywh in [0, 1] of the view, not mirrored
    whole: Tensor  # (B,) bool, False where the view is a crop, whose box cannot be compared with that of another view
    view: Tensor  # (B,) int64 number of the crop, the same for one crop of an image; 0 where it is not known

    def __post_init__(self) -> None:
        check_axes(self, {'image': ('B', ), 'boxes': ('B', 4), 'whole': ('B', ), 'view': ('B', )}, booleans=('whole', ))

    def same(self, iou: float) -> Tensor:
        """(B, B) bool, True where two expressions may mean one object: one image, targets that overlap by ``iou`` or more.

        A crop cannot be compared with another view, so it counts as the same: a lost negative costs less than a false one.
        """
        same_image = self.image[:, None] == self.image
        overlap = iou_cxcywh(self.boxes[:, None], self.boxes) >= iou
        one_view = (self.view[:, None] == self.view) & (self.view != 0)
        comparable = (self.whole[:, None] & self.whole) | one_view
        return same_image & (overlap | ~comparable)
