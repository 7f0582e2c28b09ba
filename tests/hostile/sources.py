"""What annotations are prepared from: official folders, JSON, XML, matrices and archives of others."""
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmduet.datasets.preparation import prepare, write_data_root
from mmduet.datasets.readers import find_dataset
from mmduet.datasets.readers.source_files import SUFFIXES
from tests.hostile.case import Case, Harmless, content, no_files
from tests.tiny_data import write_lines, write_official, write_photo

DEEP = '[' * 100_000 + ']' * 100_000


# --- JSON of every layout
def _official(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = write_official(folder / 'refcoco') / 'instances.json'
        instances = json.loads(path.read_text())
        change(instances)
        path.write_text(json.dumps(instances))
        return path.parent
    return make


def _set(key: str, number: int, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda instances: instances[key][number].update(values)


def _drop(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda instances: instances.pop(key)


RUNS = {'size': [30, 40], 'counts': [1]}
INSTANCES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    'no images': (_drop('images'), "field 'images' is missing"),
    'no annotations': (_drop('annotations'), "'annotations' is missing"),
    'no categories': (_drop('categories'), "'categories' is missing"),
    'a box of text': (_set('annotations', 0, bbox='abcd'), 'bbox must be four numbers'),
    'a box that is endless': (_set('annotations', 0, bbox=[0, 0, 1e308, 1e308]), 'bbox must be finite'),
    'a box of a negative size': (_set('annotations', 0, bbox=[1, 1, -5, 2]), 'negative size'),
    'an id that is a list': (_set('annotations', 0, id=[]), "field 'id' must be"),
    'an image that is a list': (_set('annotations', 0, image_id=[]), 'image_id'),
    'a name that leads outside': (_set('images', 0, file_name='../../../etc/passwd'), "field 'image' must be a file inside"),
    'a name that is a number': (_set('images', 0, file_name=5), 'must have a file name'),
    'a width of text': (_set('images', 0, width='x'), 'must be whole numbers'),
    'a width below zero': (_set('images', 0, width=-3), 'must be whole numbers'),
    'a class that is a list': (_set('categories', 0, name=[]), 'category'),
    'an id of a class that is a mapping': (_set('categories', 0, id={}), "field 'id'")}
for _name, _mask, _words in (
        ('a mask of text', 'abc', 'polygons or run lengths'), ('a polygon of two points', [[1, 2, 3, 4]], 'a polygon'),
        ('a polygon of text', [['a'] * 6], 'a polygon'), ('runs longer than the image', {**RUNS, 'counts': [10**12]},
        'run lengths'),
        ('runs of 2**31 x 2**31', {'size': [2**31, 2**31], 'counts': [1]}, 'run lengths'),
        ('runs of negative numbers', {**RUNS, 'counts': [-1, 1201]}, 'run lengths'),
        ('runs of a text that does not end', {**RUNS, 'counts': 'oooo'}, 'run lengths'),
        ('runs of other letters', {**RUNS, 'counts': '\x00\xff'}, 'run lengths'),
        ('runs without a size', {'counts': [1]}, 'run lengths'),
        ('runs of another image', {'size': [5, 5], 'counts': [25]}, 'run lengths')):
    def _mask_change(instances: dict[str, Any], mask: Any = _mask) -> None:
        instances['annotations'][0]['segmentation'] = mask
        del instances['annotations'][0]['bbox']
    INSTANCES[_name] = (_mask_change, _words)


def _read(name: str, layout: str | None = None) -> Callable[[Path], Any]:
    return lambda path: len(find_dataset(name).read(path, layout).annotations)


def _folder(**files: str | bytes) -> Callable[[Path], Path]:
    """A folder of files, whose names have ``__`` for a dot."""
    def make(folder: Path) -> Path:
        for name, data in files.items():
            content(f'source/{name.replace("__", ".")}', data)(folder)
        return folder / 'source'
    return make


MDETR = {'images': [{'id': 1, 'file_name': 'a.jpg', 'caption': 'x', 'width': 5, 'height': 5}],
    'annotations': [{'image_id': 1, 'bbox': [1, 1, 2, 2]}]}
SHIKRA = {'img_path': 'a.jpg', 'expression': 'x', 'bbox': [1, 1, 2, 2], 'width': 5, 'height': 5}
SPLIT = {'image_id': 1, 'bbox': [1, 1, 2, 2], 'expressions': ['x']}
OWN = {'image': 'a.png', 'expression': 'x', 'box': [1, 1, 20, 20]}
JSON: dict[str, tuple[str, str, dict[str, str], str]] = {
    'MDETR, lists 100,000 deep': ('refcoco_unc', 'mdetr', {'finetune_refcoco_val__json': DEEP}, 'not valid JSON'),
    'MDETR, a caption that is a list': ('refcoco_unc', 'mdetr',
    {'finetune_refcoco_val__json': json.dumps({**MDETR, 'images': [{**MDETR['images'][0], 'caption': []}]})}, 'must be text'),
    'MDETR, no box': ('refcoco_unc', 'mdetr', {'finetune_refcoco_val__json': json.dumps({**MDETR, 'annotations': []})},
    'must have one box, got 0'),
    'MDETR, images that are numbers': ('refcoco_unc', 'mdetr',
    {'finetune_refcoco_val__json': json.dumps({**MDETR, 'images': [MDETR['images'][0], 5]})}, "field 'id' is missing"),
    'MDETR, annotations that are a mapping': ('refcoco_unc', 'mdetr',
    {'finetune_refcoco_val__json': json.dumps({**MDETR, 'annotations': {}})}, 'must be a list'),
    'Shikra, a line of another': ('refcoco_unc', 'shikra', {'REC_refcoco_unc_val__jsonl': json.dumps(SHIKRA) + '\n[]'},
    'jsonl:2: must be a JSON object'),
    'Shikra, a path that leads outside': ('refcoco_unc', 'shikra',
    {'REC_refcoco_unc_val__jsonl': json.dumps({**SHIKRA, 'img_path': '/etc/..'})},
    "field 'image' must be|must have a file name"),
    'Shikra, a box of three': ('refcoco_unc', 'shikra', {'REC_refcoco_unc_val__jsonl': json.dumps({**SHIKRA,
    'bbox': [1, 2, 3]})}, 'bbox must be four numbers'),
    'Shikra, a size of text': ('refcoco_unc', 'shikra', {'REC_refcoco_unc_val__jsonl': json.dumps({**SHIKRA, 'width': '5'})},
    'whole numbers'),
    'SeqTR, a split that leads outside': ('refcoco_unc', 'split-dict', {'instances__json': json.dumps({'../../x': [SPLIT]})},
    "field 'split' must be a plain name"),
    'SeqTR, an image that is a list': ('refcoco_unc', 'split-dict',
    {'instances__json': json.dumps({'val': [{**SPLIT, 'image_id': []}]})}, 'image_id must be a number'),
    'SeqTR, an image of 1e400': ('refcoco_unc', 'split-dict',
    {'instances__json': json.dumps({'val': [SPLIT]}).replace('"image_id": 1', '"image_id": 1e400')},
    'image_id must be a number'),
    'SeqTR, an object that is text': ('refcoco_unc', 'split-dict', {'instances__json': json.dumps({'val': [SPLIT, 'x']})},
    "'image_id' is missing"),
    'SeqTR, expressions that are text': ('refcoco_unc', 'split-dict',
    {'instances__json': json.dumps({'val': [{**SPLIT, 'expressions': 'x'}]})}, 'must be a list'),
    'ReferIt, queries of numbers': ('referit', 'referit', {'referit_query_val__json': '{"1_1": ["a"], "1_2": [5]}',
    'referit_bbox__json': '{"1_1": [1, 1, 2, 2], "1_2": [1, 1, 2, 2]}'}, 'must be text'),
    'ReferIt, a box of text': ('referit', 'referit', {'referit_query_val__json': '{"1_2": ["a"]}',
    'referit_bbox__json': '{"1_1": [1, 1, 2, 2], "1_2": "x"}'}, 'bbox must be four numbers'),
    'ReferIt, no box': ('referit', 'referit', {'referit_query_val__json': '{"1_2": ["a"]}',
    'referit_bbox__json': '{"1_1": [1, 1, 2, 2]}'}, 'has neither a box'),
    'ReferIt, a region that leads outside': ('referit', 'referit',
    {'referit_query_val__json': '{"1_1": ["a"], "../../x_1": ["a"]}',
    'referit_bbox__json': '{"1_1": [1, 1, 2, 2], "../../x_1": [1, 1, 2, 2]}'}, "field 'image' must be"),
    'ReferIt, sizes of text': ('referit', 'referit', {'referit_query_val__json': '{"1_1": ["a"]}',
    'referit_bbox__json': '{"1_1": [1, 1, 2, 2]}', 'sizes__json': '{"1.jpg": ["x", 2]}'}, 'whole numbers'),
    'games, a line of another': ('referit', 'real-games', {'RealGames__txt': 'x', 'referit_val_imlist__txt': '1'},
    r'RealGames\.txt:1: must be'),
    'games, an image in no list': ('referit', 'real-games', {'RealGames__txt': '2_1.jpg~a~1~1',
    'referit_val_imlist__txt': '1'}, 'is in no list of images'),
    'games, no UTF-8': ('referit', 'real-games', {'RealGames__txt': b'\xff\xff', 'referit_val_imlist__txt': '1'},
    'no text in UTF-8'),
    'games, a mask that is none': ('referit', 'real-games', {'RealGames__txt': '1_1.jpg~a~1~1', 'referit_val_imlist__txt': '1',
    '1_1__mat': 'x'}, r'1_1\.mat cannot be read as a matrix'),
    'entities, an image without sentences': ('flickr30k', 'entities',
    {'val__txt': '../../etc/passwd', 'Sentences/1__txt': 'a', 'Annotations/1__xml': '<a/>'}, r'val\.txt:1: image \.\./'),
    'entities, a million brackets': ('flickr30k', 'entities',
    {'val__txt': '1', 'Sentences/1__txt': '[/EN#1/a' * 100_000, 'Annotations/1__xml': '<a/>'}, 'holds no expression'),
    'own, a name that leads outside': ('own', 'own', {'val__jsonl': json.dumps({**OWN, 'image': '../../../etc/passwd'})},
    "field 'image' must be"),
    'own, a split that leads outside': ('own', 'own', {'val__jsonl': json.dumps({**OWN, 'split': '../../../x'})},
    "field 'split' must be a plain name"),
    'own, the split of the objects': ('own', 'own', {'val__jsonl': json.dumps({**OWN, 'split': 'objects'})},
    "field 'split' must be another word"),
    'own, a box of text': ('own', 'own', {'val__jsonl': json.dumps({**OWN, 'box': 'x'})}, ': box must be four numbers'),
    'own, a number of 5,000 digits': ('own', 'own', {'val__jsonl': json.dumps(OWN) + '\n' + json.dumps(OWN).replace('20, 20',
    '20, ' + '9' * 5000)}, 'jsonl:2: not valid JSON'),
    'own, an id that is a list': ('own', 'own', {'val__jsonl': json.dumps({**OWN, 'image_id': []})}, 'its id must be'),
    'own, a category that is a list': ('own', 'own', {'val__jsonl': json.dumps({**OWN, 'category': []})}, "field 'category'"),
    'own, nothing': ('own', 'own', {'val__jsonl': ''}, r'val\.jsonl holds no expression'),
    'RefShapes, a manifest of another': ('refshapes', 'refshapes', {'manifest__json': '[]'}, 'recognised')}


# --- preparation writes only where it was told to
def _prepared(change: dict[str, Any]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write_photo(folder / 'own/images/a.png')
        write_lines(folder / 'own/val.jsonl', [{**OWN, **change}])
        return folder / 'own'
    return make


def _prepare(source: Path) -> Any:
    spec = find_dataset('own')
    data, prepared = prepare(spec, source, source / 'images')
    write_data_root(source.parent / 'out', 'own', prepared, data, source / 'images')
    return sorted(str(path.relative_to(source.parent)) for path in source.parent.rglob('*.json*') if 'own' not in path.parts)


def _fifo_inside(folder: Path) -> Path:
    source = _prepared({})(folder)
    os.mkfifo(source / 'instances.json')
    os.mkfifo(source / 'train.jsonl')
    return source


CASES = [
    *(Case(f'official: {name}', _official(change), {'official': _read('refcoco_unc')}, rf'refcoco.*{words}' if words
    else Harmless(4))
      for name, (change, words) in INSTANCES.items() if name not in ('a name that is a number',)),
    Case('official: a name that is a number', _official(INSTANCES['a name that is a number'][0]),
    {'official': _read('refcoco_unc')}, 'must have a file name, got 5'),
    *(Case(f'layout: {name}', _folder(**files), {'read': _read(dataset, layout)}, words) for name,
    (dataset, layout, files, words) in JSON.items()),
    *(Case(f'source: {name}', maker, {suffix: _read('own') for suffix in ('any',)}, r'source\.zip|aaa\.zip|recognised')
    for name, maker in no_files('source.zip', '.zip').items()),
    Case('preparation: good data', _prepared({}), {'prepare': _prepare},
    Harmless(['out/annotations/objects.jsonl', 'out/annotations/val.jsonl', 'out/manifest.json'])),
    Case('preparation: pipes beside the data', _fifo_inside, {'prepare': _prepare},
    Harmless(['out/annotations/objects.jsonl', 'out/annotations/val.jsonl', 'out/manifest.json'])),
    *(Case(f'preparation: {field} of {text!r:.30}', _prepared({field: text}), {'prepare': _prepare},
    rf"field '{field}' must be")
      for field, text in (('split', '../../../ESC'), ('split', '/tmp/ESC'), ('split', 'objects'), ('split', 'a' * 300),
      ('split', 'a\0b'), ('image', '../../etc/passwd'))),
]
assert set(SUFFIXES) == {'.json', '.jsonl', '.p', '.pth', '.txt', '.xml', '.mat'}, 'a new kind of annotation file: craft some'
