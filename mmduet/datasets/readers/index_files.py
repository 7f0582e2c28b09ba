"""The TransVG family's index files, ``<key>/<key>_<split>.pth``: a list with a tuple for each expression.

RefCOCO family and ReferItGame: (image file, segmentation file, box, phrase, attributes); Flickr30K Entities: (image file, box,
phrase). The box is (x, y, width, height) in the RefCOCO family and corners in the other two. Nothing says how large an image
is, and references have no numbers.
"""
from pathlib import Path

from mmduet.datasets.readers.dataset_spec import DatasetSpec
from mmduet.datasets.readers.source_data import SourceData, corners_of_xywh, corners_of_xyxy, split_of_name
from mmduet.datasets.readers.source_files import SourceFiles
from mmduet.io.errors import DataError
from mmduet.io.weights import read_tensor_file


def find_index(files: SourceFiles, spec: DatasetSpec) -> list[Path]:
    """Index files of the data set, one for each split; that of train and val together only where those are not there."""
    found: dict[str, Path] = {}
    for path in files.named('.pth'):
        split = split_of_name(path.stem)
        if split is not None and spec.accepts_key(path.stem.rpartition('_')[0], path, files.root):
            if split in found:
                raise DataError(f'{found[split]} and {path} are both of split {split}: name the folder of one of them')
            found[split] = path
    if 'train' in found:
        found.pop('trainval', None)
    return list(found.values())


def read_index(data: SourceData, files: SourceFiles, spec: DatasetSpec) -> None:
    """Read index files, of plain values only."""
    corners = corners_of_xywh if spec.family.startswith('refcoco') else corners_of_xyxy
    length = 3 if spec.family == 'flickr30k' else 5
    for path in data.files:
        split = split_of_name(path.stem) or ''
        entries = read_tensor_file(path)
        if not isinstance(entries, list) or not entries:
            raise DataError(f'{path} must hold a list of expressions, got {type(entries).__name__}')
        for number, entry in enumerate(entries):
            where = f'{path}: entry {number}'
            if not isinstance(entry, tuple | list) or len(entry) != length:
                raise DataError(f'{where}: must hold {length} values, got {entry!r:.80}; is it of {spec.name}?')
            image, box, phrase = (entry[0], entry[1], entry[2]) if length == 3 else (entry[0], entry[2], entry[3])
            if not isinstance(image, str) or not isinstance(phrase, str):
                raise DataError(f'{where}: image file and phrase must be text, got {image!r:.40} and {phrase!r:.40}')
            data.add(where, data.add_image(image), phrase, expression_id=f'{split}_{number}', split=split,
                     box=corners(box, where))
