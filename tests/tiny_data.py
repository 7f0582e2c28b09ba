"""Small data on disk: images, an official RefCOCO folder and a data root."""
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def write_photo(path: Path, width: int = 40, height: int = 30, seed: int = 0) -> np.ndarray:
    """A PNG of coloured blocks; returns its pixels."""
    blocks = np.random.default_rng(seed).integers(0, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    pixels = np.ascontiguousarray(np.kron(blocks, np.ones((8, 8, 1), np.uint8))[:height, :width])
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def line(**changes: Any) -> dict[str, Any]:
    """A good line of an annotation file, with changes; a field set to ``...`` is left out."""
    record = {'expression_id': '1', 'image': 'a.png', 'image_id': 1, 'width': 40, 'height': 30, 'expression': 'left cup',
              'box': [4.5, 5.25, 20.0, 25.5], 'split': 'train', 'ref_id': 3, 'ann_id': 7, 'category': 'cup'}
    record.update(changes)
    return {name: value for name, value in record.items() if value is not ...}


def write_lines(path: Path, records: list[Any]) -> Path:
    """JSON lines; a string is written as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join((r if isinstance(r, str) else json.dumps(r)) + '\n' for r in records), encoding='utf-8')
    return path


def make_data_root(root: Path, records: list[dict[str, Any]] | None = None,
                   objects: list[dict[str, Any]] | None = None) -> Path:
    """A data root with one image of 40 x 30 pixels and the records, by their splits."""
    write_photo(root / 'images' / 'a.png')
    records = records if records is not None else [line(), line(expression_id='2', expression='the cup', split='val')]
    for split in {record['split'] for record in records}:
        write_lines(root / 'annotations' / f'{split}.jsonl', [r for r in records if r['split'] == split])
    if objects is not None:
        write_lines(root / 'annotations' / 'objects.jsonl', objects)
    (root / 'manifest.json').write_text(json.dumps({'dataset': 'tiny', 'images': 'images'}))
    return root


def reference(number: int, image_id: int, split: str, sentences: list[str]) -> dict[str, Any]:
    """An entry of ``refs(unc).p``; annotation 100 + number, sentences 10 * number and on."""
    return {'ref_id': number, 'ann_id': 100 + number, 'category_id': 1, 'image_id': image_id, 'split': split,
            'file_name': f'COCO_train2014_{image_id:012d}_{100 + number}.jpg', 'sent_ids': [],
            'sentences': [{'sent_id': 10 * number + k, 'sent': text, 'raw': text.upper(), 'tokens': text.split()}
                          for k, text in enumerate(sentences)]}


def write_official(folder: Path, references: list[dict[str, Any]] | None = None) -> Path:
    """An official folder of two images of 40 x 30 pixels, two objects in the first and one in the second."""
    references = references or [reference(0, 5, 'train', ['left cup', 'the  cup ']), reference(1, 5, 'train', ['mug']),
                                reference(2, 6, 'val', ['dog'])]
    boxes = {100: (5, [4.0, 5.0, 10.5, 20.0]), 101: (5, [20.0, 1.0, 15.0, 9.0]), 102: (6, [0.0, 0.0, 40.0, 30.0])}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'instances.json').write_text(json.dumps({
        'images': [{'id': i, 'file_name': f'COCO_train2014_{i:012d}.jpg', 'width': 40, 'height': 30} for i in (5, 6)],
        'annotations': [{'id': k, 'image_id': i, 'category_id': 1, 'bbox': box, 'iscrowd': 0} for k, (i, box) in boxes.items()],
        'categories': [{'id': 1, 'name': 'thing'}]}))
    (folder / 'refs(unc).p').write_bytes(pickle.dumps(references, protocol=2))
    return folder
