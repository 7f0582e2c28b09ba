"""Flickr30K Entities: ``Sentences/<id>.txt``, ``Annotations/<id>.xml`` and the lists ``train.txt``, ``val.txt``, ``test.txt``.

A sentence marks its phrases as ``[/EN#<chain>/<type>[/<type>] words]``; a chain has any number of boxes, whose coordinates are
1-based. Phrases of chain 0 and of chains without a box (a whole image) have nothing to ground and are counted, not read. A
phrase with several boxes is scored by one of two protocols, and which one stands in the manifest and in every result:

* *merged*: the target is the smallest box around all of them, as in the TransVG family.
* *any*: a prediction is right if it fits one of them; training takes the largest.
"""
import math
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from mmduet.datasets.annotation_file import Box
from mmduet.datasets.readers.dataset_spec import DatasetSpec
from mmduet.datasets.readers.source_data import UNKNOWN_SIZE, SourceData
from mmduet.datasets.readers.source_files import SourceFiles
from mmduet.io.errors import DataError
from mmduet.io.text import read_lines, read_text

# No opening bracket inside, so that a file of nothing but beginnings is read in one pass.
_PHRASE = re.compile(r'\[/EN#(?P<chain>\d{1,20})(?P<types>(?:/[^\s/\[\]]+)+)\s(?P<words>[^\[\]]*)\]')
PROTOCOLS = ('merged', 'any')


def find_entities(files: SourceFiles, spec: DatasetSpec) -> list[Path]:
    """Lists of images of each split, where there are sentences and annotations too."""
    folders = {path.parent.name for path in files.paths}
    if not {'Sentences', 'Annotations'} <= folders:
        return []
    return [path for path in files.named('train.txt', 'val.txt', 'test.txt')
            if path.stem in ('train', 'val', 'test') and path.parent.name != 'Sentences']


def parse_phrases(sentence: str) -> list[tuple[str, str, str]]:
    """(chain, types joined by /, words) of each marked phrase of a sentence."""
    return [(match['chain'], match['types'][1:], match['words'].lstrip()) for match in _PHRASE.finditer(sentence)]


def read_entities(data: SourceData, files: SourceFiles, spec: DatasetSpec) -> None:
    """Read all images of the lists by the protocol; each must have sentences and annotations."""
    sentences = {path.stem: path for path in files.named('.txt') if path.parent.name == 'Sentences'}
    annotations = {path.stem: path for path in files.named('.xml') if path.parent.name == 'Annotations'}
    skipped = Counter[str]()
    for path in data.files:
        for number, line in enumerate(read_lines(path), 1):
            if name := line.strip():
                if name not in sentences or name not in annotations:
                    raise DataError(f'{path}:{number}: image {name} has no Sentences/*.txt or Annotations/*.xml')
                skipped += _read_image(data, sentences[name], annotations[name], path.stem)
    data.about = {name: skipped[name] for name in ('phrases_without_box', 'phrases_not_visual')}


def _read_image(data: SourceData, text: Path, xml: Path, split: str) -> Counter[str]:
    """Add the phrases of an image; returns how many were left out, and why."""
    size, boxes = read_boxes(xml)
    image_id = data.add_image(f'{xml.stem}.jpg', size)
    skipped = Counter[str]()
    for row, sentence in enumerate(read_lines(text)):
        for position, (chain, types, words) in enumerate(parse_phrases(sentence)):
            if chain == '0' or chain not in boxes:
                skipped['phrases_not_visual' if chain == '0' else 'phrases_without_box'] += 1
                continue
            own = boxes[chain]
            several = data.protocol == 'any' and len(own) > 1
            data.add(f'{text}:{row + 1}', image_id, words, expression_id=f'{xml.stem}_{row}_{position}', split=split,
                     ref_id=f'{xml.stem}_{chain}', category=types, boxes=tuple(own) if several else None,
                     box=max(own, key=_area) if several else union(own))
    return skipped


def union(boxes: list[Box]) -> Box:
    """The smallest box around all."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def read_boxes(path: Path) -> tuple[tuple[int, int], dict[str, list[Box]]]:
    """(width, height) of an image and 0-based boxes of each chain.

    Raises:
        DataError: the file is no such annotation, declares entities, or a box is impossible; names it.
    """
    try:
        content = read_text(path)
        if '<!DOCTYPE' in content or '<!ENTITY' in content:
            raise DataError(f'{path} declares a document type, which no annotation of Flickr30K Entities does')
        root = ElementTree.fromstring(content)
        size = (int(root.findtext('size/width', str(UNKNOWN_SIZE))), int(root.findtext('size/height', str(UNKNOWN_SIZE))))
        boxes: dict[str, list[Box]] = {}
        for item in root.iter('object'):
            found = item.find('bndbox')
            if found is None:
                continue
            x1, y1, x2, y2 = (float(found.findtext(name, 'nan')) - 1 for name in ('xmin', 'ymin', 'xmax', 'ymax'))
            if not (x1 <= x2 < math.inf and y1 <= y2 < math.inf):
                corners = [x1 + 1, y1 + 1, x2 + 1, y2 + 1]
                raise DataError(f'{path}: bndbox must have xmin <= xmax and ymin <= ymax, got {corners}')
            for name in item.findall('name'):
                boxes.setdefault((name.text or '').strip(), []).append((x1, y1, x2, y2))
    except (OSError, ValueError, ElementTree.ParseError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f'{path} is no annotation of Flickr30K Entities ({error})') from error
    return size, boxes
