"""All images of data roots decoded once, in one zip whose members are plain bytes: for machines with much memory.

A member has its image's name and the bytes of a PPM, uncompressed, so that reading one is a copy out of the file, which the
system keeps in memory once for all processes. It is read as any other archive is (``mmduet.io.image_archives``).
"""
import errno
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmduet.datasets.annotation_file import AnnotationStore
from mmduet.datasets.manifest import read_manifest, split_files
from mmduet.io.errors import DataError, ImageError
from mmduet.io.files import replacing, require_apart
from mmduet.io.images import encode_ppm, read_image


@dataclass(frozen=True, slots=True)
class ImageList:
    """The images of some splits of data roots that share a folder of images.

    Attributes:
        folder: where they lie, a folder or an archive.
        sizes: width and height of each by its name, pixels, as the annotations say.
    """

    folder: Path
    sizes: dict[str, tuple[int, int]]

    @property
    def decoded_bytes(self) -> int:
        """What their pixels take."""
        return sum(3 * width * height for width, height in self.sizes.values())


def list_images(roots: Sequence[Path], splits: Sequence[str] | None = None) -> ImageList:
    """The images that data roots name.

    Args:
        roots: data roots of ``mmduet prepare``.
        splits: of all of them; None for every split that each has.

    Raises:
        DataError: a folder is no data root or has no such split, or two have different folders of images.
    """
    folder, sizes = None, {}
    for root in roots:
        own = (root / read_manifest(root)['images']).resolve()
        if folder not in (None, own):
            raise DataError(f'{root} has its images in {own}, and the data root before it in {folder}: a name could mean two '
                            'images, so that each needs a file of its own')
        folder = own
        for annotation in AnnotationStore(list(split_files(root, splits).values())):
            sizes[annotation.image] = (annotation.width, annotation.height)
    if folder is None:
        raise DataError('no data root is named')
    return ImageList(folder, dict(sorted(sizes.items())))


def write_decoded_images(images: ImageList, out: Path) -> Iterator[str]:
    """Decode images into one file; yields the name of each that is written. An old file stays until the new one is whole.

    Raises:
        ImageError: one is missing or broken, or has not the size that its annotation says.
        DataError: the file is the archive of the images themselves.
        OSError: the disk has no room for all of them, which is seen before the first is decoded, or cannot be written to.
    """
    require_apart(out, [images.folder])
    out.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(out.parent).free < images.decoded_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(out))
    with replacing(out) as partial, zipfile.ZipFile(partial, 'w', zipfile.ZIP_STORED) as archive:
        for name, (width, height) in images.sizes.items():
            pixels = read_image(images.folder / name)
            if pixels.shape[:2] != (height, width):
                raise ImageError(f'{images.folder / name} is {pixels.shape[1]} x {pixels.shape[0]} pixels, its annotation says '
                                 f'{width} x {height}: boxes would be off')
            # With a fixed date the same images make the same file.
            archive.writestr(zipfile.ZipInfo(name), encode_ppm(pixels))
            yield name
