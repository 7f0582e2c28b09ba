"""Prepared annotations, objects, manifests, predictions and lists: what a data root from elsewhere may hold."""
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmduet.datasets.annotation_file import AnnotationStore
from mmduet.datasets.grounding_dataset import GroundingDataset, ObjectBoxes
from mmduet.datasets.leakage import read_seen_ids
from mmduet.datasets.manifest import read_manifest, split_files
from mmduet.evaluation.report.cases import read_cases
from mmduet.evaluation.report.predictions import read_predictions
from tests.hostile.case import Case, Harmless, content, no_files
from tests.tiny_data import line, make_data_root, write_lines

DEEP = '[' * 100_000 + ']' * 100_000


def _store(path: Path) -> Any:
    return [annotation.image for annotation in AnnotationStore([path])]


def _cases(path: Path) -> Any:
    return len(read_cases([path], None))


READERS = {'annotations': _store, 'report': _cases}
# What a field holds that nobody may use, by field and words of the sentence.
FIELDS: list[tuple[str, str, Any, str]] = [
    ('numbers that are none', 'box', [float('nan')] * 4, 'finite numbers'),
    ('endless numbers', 'box', [0, 0, float('inf'), 1], 'finite numbers'),
    ('a number of 400 digits', 'box', [1, 2, int('9' * 400), 4], 'finite numbers'), ('text', 'box', 'abcd', 'finite numbers'),
    ('three numbers', 'box', [1, 2, 3], 'finite numbers'), ('boxes of boxes', 'box', [[1, 2, 3, 4]], 'finite numbers'),
    ('true', 'box', [True, 2, 3, 4], 'finite numbers'), ('corners the wrong way round', 'box', [9, 9, 1, 1], 'x1 <= x2'),
    ('a mapping', 'box', {'x': 1}, 'finite numbers'), ('true', 'width', True, 'positive whole number'),
    ('2**40', 'width', 2**40, 'positive'),
    ('nothing', 'height', None, 'positive'), ('zero', 'height', 0, 'positive'), ('a fraction', 'height', 3.5, 'positive'),
    ('a list', 'image_id', [1], 'whole number or text'), ('a mapping', 'image_id', {}, 'whole number or text'),
    ('a number', 'expression', 7, 'must be text'), ('blanks', 'expression', ' \t ', 'is blank'),
    ('a list', 'expression', ['a'], 'must be text'),
    ('text', 'boxes', 'abcd', 'list of boxes'), ('a bad box', 'boxes', [[1, 2, 3, 'x']], 'finite numbers'),
    ('none', 'boxes', [], 'list of boxes'),
    ('a number', 'expression_id', 5, 'must be text'), ('a mapping', 'category', {}, 'text or null'),
    ('a number', 'kind', 5, 'text or null'),
    ('a list', 'ref_id', [], 'whole number'), ('a number', 'split', 5, 'must be text')]
OUTSIDE = 'must be a file inside the folder'
IMAGES = {'a parent': '../../../../etc/passwd', 'a parent inside': 'a/../../b.png', 'the root': '/etc/passwd',
    'a device': '/dev/zero',
          'a zero byte': 'a\0b.png', 'a drive': 'C:\\Windows\\win.ini', 'a drive without a separator': 'C:win.ini',
          'a share': '\\\\host\\share\\a.png',
          'a parent of Windows': '..\\..\\a.png', 'two dots': '..', 'a parent with a slash': '../'}
SPLITS = {'a parent': '../../../x', 'the root': '/tmp/x', 'the file of objects': 'objects', '300 letters': 'a' * 300,
    'a zero byte': 'a\0b',
          'a device of Windows': 'CON', 'a device with an end': 'nul.txt', 'a hidden file': '.bashrc', 'a line break': 'a\nb',
          'a drive': 'C:x',
          'a pattern': 'a*', 'a pipe': 'a|b', 'a blank at its end': 'val ', 'a dot at its end': 'val.',
          'right-to-left marks': 'a\u202eb',
          'two dots': '..', '150 signs of two bytes': 'é' * 150}
LINES = {
    'an image of 1e400 pixels': (json.dumps(line()).replace('4.5', '1e400'), 'finite numbers'),
    'a number of 5,000 digits': (json.dumps(line()).replace('4.5', '9' * 5000), 'not valid JSON'),
    'lists 100,000 deep': (DEEP, 'not valid JSON'), 'half of a pair of surrogates': (json.dumps(line(image='\ud800.png')),
    'holds half a character'),
    'no UTF-8': (json.dumps(line()).encode().replace(b'left', b'\xff\xfe'), 'not valid JSON'),
    'a list': ('[]', 'must be a JSON object'),
    'nothing': ('null', 'must be a JSON object'), 'half a line': (json.dumps(line())[:40], 'not valid JSON'),
    'a program': ("__import__('os').system('true')", 'not valid JSON'),
    'a pickle': (b'cos\nsystem\n(S"true"\ntR.', 'not valid JSON'),
    'zeros': (bytes(1000), 'not valid JSON'), 'UTF-16, which JSON may be': (json.dumps(line()).encode('utf-16'),
    Harmless(['a.png']))}
OBJECTS = {'no image_id': '{"boxes": []}', 'no boxes': '{"image_id": 1}',
    'a box of text': '{"image_id": 1, "boxes": [["a", 1, 2, 3]]}',
           'an id that is a list': '{"image_id": [], "boxes": []}', 'a list': '[]', 'lists 100,000 deep': DEEP, 'no JSON': '{',
           'boxes that are a number': '{"image_id": 1, "boxes": 5}',
           'a number that is none': '{"image_id": 1, "boxes": [[NaN, 1, 2, 3]]}'}
MANIFESTS: dict[str, tuple[str | bytes, str]] = {
    'no JSON': ('{', 'cannot be read'), 'a list': ('[]', 'is a list'),
    'no data set': ('{"images": "i"}', "'dataset' must be text"),
    'a data set that leads outside': ('{"dataset": "../../victim", "images": "i"}', "'dataset' must be a plain name"),
    'a data set of a full path': ('{"dataset": "/etc", "images": "i"}', "'dataset' must be a plain name"),
    'a data set that is a number': ('{"dataset": 5, "images": "i"}', "'dataset' must be text"),
    'no images': ('{"dataset": "a"}', "'images' must be text"),
    'images that are a list': ('{"dataset": "a", "images": []}', "'images' must be text"),
    'a protocol that leads outside': ('{"dataset": "a", "images": "i", "protocol": "../x"}', "'protocol' must be a plain name"),
    'a protocol that is a number': ('{"dataset": "a", "images": "i", "protocol": 1}', "'protocol' must be text"),
    'splits that are a list': ('{"dataset": "a", "images": "i", "splits": []}', "'splits' must hold"),
    'counts that are text': ('{"dataset": "a", "images": "i", "splits": {"val": "x"}}', "'splits' must hold"),
    'a collection that is a list': ('{"dataset": "a", "images": "i", "collection": []}', "'collection' must be text"),
    'lists 100,000 deep': (DEEP, 'cannot be read'), 'no UTF-8': (b'\xff\xff', 'cannot be read'),
    'nothing': ('', 'cannot be read'),
    'a number of 5,000 digits': ('9' * 5000, 'cannot be read')}
GOOD = {'box': [1, 2, 3, 4], 'expression_id': '1', 'split': 'train'}
PREDICTIONS: dict[str, tuple[str, str | bytes, str]] = {
    'another end': ('p.txt', '', 'must end in'), 'nothing': ('p.jsonl', '', 'is empty'),
    'no JSON': ('p.jsonl', '{', 'not valid JSON'),
    'no box': ('p.jsonl', json.dumps({**GOOD, 'box': None}), 'p.jsonl:1'),
    'a box of text': ('p.jsonl', json.dumps({**GOOD, 'box': 'x'}), 'p.jsonl:1'),
    'a number that is none': ('p.jsonl', json.dumps({**GOOD, 'box': [float('nan')] * 4}), 'p.jsonl:1'),
    'a score of text': ('p.jsonl', json.dumps({**GOOD, 'score': 'x'}), 'p.jsonl:1'), 'an expression that is not there':
    ('p.jsonl', json.dumps({**GOOD, 'expression_id': 'x' * 10**6}), 'p.jsonl'),
    'lists 100,000 deep': ('p.json', DEEP, 'not valid JSON'),
    'a mapping': ('p.json', '{}', 'must be a list'), 'boxes without a format': ('p.json', '[[1, 2, 3, 4]]', 'plain boxes need'),
    'a header of another': ('p.csv', 'a,b\n1,2\n', 'the header must have'),
    'cells of text': ('p.csv', 'x1,y1,x2,y2\na,b,c,d\n', 'p.csv:2'),
    'a formula': ('p.csv', 'x1,y1,x2,y2\n=cmd(),1,2,3\n', 'p.csv:2'),
    'a cell of 200,000 letters': ('p.csv', 'x1,y1,x2,y2\n' + 'a' * 200_000 + '\n', 'p.csv'),
    'a zero byte': ('p.csv', 'x1,y1,x2,y2\n\0,1,2,3\n', 'p.csv'), 'no UTF-8': ('p.csv', b'\xff\xff\xff', 'no text in UTF-8'),
    'a format nobody knows': ('p.jsonl', json.dumps({**GOOD, 'box_format': 'evil'}), 'the columns are evil'),
    'fractions': ('p.jsonl', json.dumps({**GOOD, 'box': [.1, .2, .3, .4]}), 'boxes lie between 0 and 1')}
LISTS: dict[str, tuple[str, str | bytes, str]] = {
    'nothing': ('s.txt', '', 'names no image'), 'no JSON': ('s.json', '{', 'is no list of image ids'),
    'a number': ('s.json', '5', 'is no list'),
    'lists 100,000 deep': ('s.json', DEEP, 'is no list'), 'entries that are lists': ('s.json', '[[1]]',
    'entry 1 is no image id'),
    'true': ('s.json', '[true]', 'entry 1 is no image id'), 'images that are a number': ('s.json', '{"images": 5}',
    'is no list'),
    'images without ids': ('s.json', '{"images": [{}]}', 'is no list'), 'no UTF-8': ('s.txt', b'\xff\xff', r's\.txt'),
    'a number of 5,000 digits': ('s.txt', '9' * 5000, 'entry 1 is no image id')}


def _one(**changes: Any) -> Callable[[Path], Path]:
    return lambda folder: write_lines(folder / 'val.jsonl', [line(**changes)])


def _manifest(text: str | bytes) -> Callable[[Path], Path]:
    return lambda folder: content('root/manifest.json', text)(folder).parent


def _parent(maker: Callable[[Path], Path]) -> Callable[[Path], Path]:
    return lambda folder: maker(folder).parent


def _predictions(file: str, text: str | bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write_lines(folder / 'ann.jsonl', [line()])
        return content(file, text)(folder)
    return make


def _read_predictions(path: Path) -> Any:
    return read_predictions(path, read_cases([path.with_name('ann.jsonl')], None), 'a')


def _item(root: Path) -> Any:
    dataset = GroundingDataset(root, ['val'], [{'type': 'LoadImage'}], test_mode=True)
    return dataset[0]['img'].shape


def _root(**manifest: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        root = make_data_root(folder / 'root', [line(split='val')])
        (root / 'manifest.json').write_text(json.dumps({'dataset': 'a', 'images': 'images', **manifest}))
        return root
    return make


def _root_with_device(folder: Path) -> Path:
    root = _root()(folder)
    (root / 'images/a.png').unlink()
    (root / 'images/a.png').symlink_to('/dev/zero')
    return root


def _two(folder: Path) -> Path:
    return write_lines(folder / 'val.jsonl', [line(), line()])


CASES = [
    Case('annotations: a good line', _one(), READERS | {'report': lambda path: [read_cases([path],
    None).annotations[0].image]}, Harmless(['a.png'])),
    *(Case(f'annotations: {field} is {name}', _one(**{field: value}), READERS, rf"val\.jsonl:1: field '{field}' .*{words}")
      for name, field, value, words in FIELDS),
    *(Case(f'annotations: without {field}', _one(**{field: ...}), READERS, rf"val\.jsonl:1: field '{field}' is missing")
      for field in ('expression_id', 'image', 'image_id', 'width', 'height', 'expression', 'box', 'split')),
    *(Case(f'annotations: image of {name}', _one(image=text), READERS, rf"val\.jsonl:1: field 'image' {OUTSIDE}") for name,
    text in IMAGES.items()),
    *(Case(f'annotations: split of {name}', _one(split=text), READERS,
    r"val\.jsonl:1: field 'split' must be (a plain name|another)")
      for name, text in SPLITS.items()),
    *(Case(f'annotations: {name}', content('val.jsonl', text if isinstance(text, bytes) else text + '\n'),
    {'annotations': _store},
           words if isinstance(words, Harmless) else rf'val\.jsonl:1: .*({words})') for name, (text, words) in LINES.items()),
    Case('annotations: the same expression twice', _two, READERS, r"val\.jsonl:2: field 'expression_id' repeats '1'"),
    Case('annotations: an empty file', content('val.jsonl', b'\n\n'), READERS, r'val\.jsonl is empty'),
    *(Case(f'annotations: {name}', maker, {'annotations': _store},
    r'\.jsonl (does not exist|cannot be read|is no regular file)')
      for name, maker in no_files('val.jsonl', '.jsonl').items()),
    *(Case(f'objects: {name}', content('objects.jsonl', text), {'objects': ObjectBoxes},
    r'objects\.jsonl:1: must have image_id and boxes')
      for name, text in OBJECTS.items()),
    *(Case(f'manifest: {name}', _manifest(text), {'manifest': read_manifest}, rf'root is no data root: .*{words}')
      for name, (text, words) in MANIFESTS.items()),
    *(Case(f'manifest: {name}', _parent(maker), {'manifest': read_manifest}, 'is no data root')
      for name, maker in no_files('manifest.json', '.json').items() if 'long' not in name),
    Case('manifest: images anywhere, which a data root may say', _root(images='/etc'), {'item': _item},
    r'/etc/a\.png cannot be read'),
    Case('manifest: images through a device', _root_with_device, {'item': _item},
    r'a\.png is no regular file \(expression 1 of split val\)'),
    Case('a split that leads outside', _root(), {'splits': lambda root: split_files(root, ['../../etc/passwd'])},
    r"has no split '\.\./\.\./etc"),
    *(Case(f'predictions: {name}', _predictions(file, text), {'predictions': _read_predictions}, rf'p\.\w+.*{words}|{words}')
      for name, (file, text, words) in PREDICTIONS.items()),
    *(Case(f'predictions: {name}', maker, {'predictions': lambda path: read_predictions(path, None, 'a')}, r'\.jsonl')
      for name, maker in no_files('p.jsonl', '.jsonl').items()),
    *(Case(f'list of images: {name}', content(file, text), {'list': read_seen_ids}, rf's\.\w+.*{words}') for name,
    (file, text, words) in LISTS.items()),
    *(Case(f'list of images: {name}', maker, {'list': read_seen_ids}, r'\.txt') for name, maker
    in no_files('s.txt', '.txt').items()),
]
