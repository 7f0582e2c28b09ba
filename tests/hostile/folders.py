"""Work folders, caches of teachers and locks: what our own tools wrote once, and somebody else since."""
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmduet.engine.checkpoint import read_record, resume_candidates
from mmduet.io.files import sha256_of
from mmduet.io.locks import HOLDER, LockedError, locked
from mmduet.teacher_cache.cached_teacher import CachedTeacher
from mmduet.teacher_cache.store import FORMAT, INDEX, MANIFEST, CacheIndex, CacheSection, Shard, write_manifest, write_shard
from tests.hostile.case import COMMAND, Case, Harmless, content, no_files

DEEP = '[' * 100_000 + ']' * 100_000


def _section(change: Callable[[dict[str, Any]], Any] = lambda manifest: None, index: bytes | None = None,
    **files: bytes | str) -> Callable[[Path], Path]:
    """A good section of two expressions, but for what changes its manifest, which gets its checksum, and for files."""
    def make(folder: Path) -> Path:
        place = folder / 'cache/tiny/val'
        place.mkdir(parents=True)
        written = index or CacheIndex(texts=['a'], ids=['1', '2'], image=[0, 0], crop=[0, 0], text=[0, 0],
            mirrored_text=[-1, -1], others=None).encode()
        (place / INDEX).write_bytes(written)
        shard = Shard(name='text-00000.f16', parts={'text': (1, 4)})
        write_shard(place, shard, {'text': np.ones((1, 4))})
        manifest: dict[str, Any] = {
            'format': FORMAT, 'complete': True, 'command': 'mmduet cache-teacher CONFIG',
            'index_sha256': sha256_of(written), 'embed_dims': 4, 'logit_bias': None,
            'teacher': {}, 'data': {'annotations_sha256': 'x'}, 'config': 'c', 'views': ['plain'], 'logit_scale': 1.0,
            'shards': [{'name': shard.name, 'parts': {'text': [1, 4]},
            'sha256': (place / shard.name).read_bytes()[-32:].hex()}]}
        change(manifest)
        write_manifest(place, manifest)
        for name, data in files.items():
            content(name.replace('__', '.').replace('_0', '-0'), data)(place)
        return place
    return make


def _shard(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest['shards'][0].update(values)


def _open(place: Path) -> Any:
    return CacheSection(place).index.ids


def _teacher(place: Path) -> Any:
    return CachedTeacher(place.parents[1], {'type': 'CLIPTeacher'}).embed_dims


BAD = r'manifest\.json is damaged|cache'
MANIFESTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    'a shard outside': (_shard(name='../../../../etc/passwd'), r'manifest\.json is damaged: its shards'),
    'a shard of a full path': (_shard(name='/etc/passwd'), r'manifest\.json is damaged'),
    'a shard that is a list': (_shard(name=[]), r'manifest\.json is damaged'),
    'a shard that is not there': (_shard(name='other.f16'), r'other\.f16 is missing'),
    'parts that are a list': (_shard(parts=[]), r'manifest\.json is damaged'),
    'a part of 2**60': (_shard(parts={'text': [2**60]}), r'manifest\.json is damaged'),
    'a part below zero': (_shard(parts={'text': [-1, 4]}), r'manifest\.json is damaged'),
    'a part of text': (_shard(parts={'text': 'x'}), r'manifest\.json is damaged'),
    'a part larger than the shard': (_shard(parts={'text': [1000, 4]}), r'text-00000\.f16 has not the checksum'),
    'sizes whose product overflows':
    (_shard(parts={'text': [2**39, 2**39]}), r'text-00000\.f16 has not the checksum'),
    'a checksum that is a number': (_shard(sha256=5), r'manifest\.json is damaged'),
    'another checksum': (_shard(sha256='0' * 64), r'has not the checksum'),
    'no shards': (lambda manifest: manifest.pop('shards'), r"'shards' is missing"),
    'shards that are text': (lambda manifest: manifest.update(shards='x'), r"'shards' is missing"),
    'a format of the future': (lambda manifest: manifest.update(format=99), 'has format 99'),
    'a command of another': (lambda manifest: manifest.update(complete=False, command=COMMAND), 'is half written'),
    'a command that is a list':
    (lambda manifest: manifest.update(command=[]), r"'command' is missing"),
    'complete by a word': (lambda manifest: manifest.update(complete='yes'), r"'complete' is missing")}
INDICES = {'an index of another': b'{"a": 1}', 'an index that is a list': b'[]', 'an index that is no JSON': b'{',
    'an index 100,000 deep': DEEP.encode(), 'an index of numbers': b'5'}
FILES: dict[str, tuple[dict[str, bytes | str], str]] = {
    'a shard that changed': ({'text_00000__f16': bytes(40)}, 'has not the checksum'),
    'a shard that is cut': ({'text_00000__f16': bytes(10)}, 'has not the checksum'),
    'an empty shard': ({'text_00000__f16': b''}, 'has not the checksum'),
    'an index that changed': ({'index__json': '{}'}, 'has not the checksum'),
    'a manifest that changed': ({'manifest__json': json.dumps({'format': FORMAT, 'sha256': 'x'})},
    'its checksum is that of another'), 'a manifest that is no JSON':
    ({'manifest__json': '{'}, r'manifest\.json is damaged'), 'a manifest that is a list': ({'manifest__json': '[]'},
    'is damaged: it holds a list'),
    'a manifest 100,000 deep': ({'manifest__json': DEEP}, r'manifest\.json is damaged'),
    'a manifest that is no text': ({'manifest__json': b'\xff'}, r'manifest\.json is damaged')}


def _not_a_file(maker: Callable[[Path], Path], name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        place = _section()(folder)
        (place / name).unlink()
        made = maker(folder)
        made.rename(place / name)
        return place
    return make


# --- records: what they name is deleted one day, so that only names of checkpoints count
EMPTY = {'run': None, 'best': None, 'validated': None, 'kept': []}
RECORDS: dict[str, tuple[str | bytes, Any]] = {
    'a file outside': ('{"kept": ["../../../victim.pth"], "best": null}', EMPTY),
    'a full path': ('{"kept": ["/tmp/victim.pth"]}', EMPTY), 'another kind of file': ('{"kept": ["thesis.txt"]}', EMPTY),
    'a name that is a list': ('{"kept": [[]]}', EMPTY), 'a hundred digits': ('{"kept": ["epoch_' + '1' * 100 + '.pth"]}',
    EMPTY), 'a line break': ('{"kept": ["epoch_1.pth\\n"]}', EMPTY),
    'a best one outside': ('{"kept": [], "best": {"file": "../best_a_epoch_1.pth", "score": 1.0}}', EMPTY),
    'a best one of text': ('{"kept": [], "best": {"file": 5, "score": "x"}}', EMPTY),
    'a run that is a list': ('{"kept": [], "run": []}', EMPTY), 'kept that is a number': ('{"kept": 3}', None),
    'a list': ('[]', None), 'no JSON': ('{', None), 'nothing': ('', None),
    'lists 100,000 deep': (DEEP, None), 'no text': (b'\xff', None)}


def _record(path: Path) -> Any:
    return read_record(path.parent)


def _work_dir(**meta: Any) -> Callable[[Path], Path]:
    """A work folder of three checkpoints, the middle one with something odd."""
    def make(folder: Path) -> Path:
        for number in (1, 2, 3):
            torch.save({'state_dict': {'a': torch.ones(1)}, 'meta': {'iter': number, 'epoch': 0,
                **(meta if number == 2 else {})}}, folder / f'iter_{number}.pth')
        return folder
    return make


def _candidates(folder: Path) -> Any:
    return [path.name for path in resume_candidates(folder)]


def _odd_checkpoint(folder: Path) -> Path:
    _work_dir()(folder)
    (folder / 'iter_9.pth').symlink_to('/dev/zero')
    (folder / 'iter_8.pth').mkdir()
    return folder


def _busy(folder: Path) -> Path:
    (folder / HOLDER).write_text(json.dumps({'host': 'x' * 10**6, 'process': 7}))
    return folder


def _try_lock(folder: Path) -> Any:
    with locked(folder / 'w'):
        content(HOLDER, (folder / HOLDER).read_bytes())(folder / 'w')
        try:
            with locked(folder / 'w'):
                return 'taken twice'
        except LockedError as error:
            return len(str(error)) < 1000


NOT_TOO_LONG = {name: maker for name, maker in no_files(MANIFEST, '.json').items() if 'long' not in name}
CASES = [
    Case('cache: good', _section(), {'section': _open}, Harmless(['1', '2'])),
    Case('cache: good, by its teacher', _section(), {'teacher': _teacher}, Harmless(4)),
    *(Case(f'cache: {name}', _section(change), {'section': _open}, words) for name, (change, words) in MANIFESTS.items()),
    *(Case(f'cache: {name}', _section(index=data), {'section': _open}, r'index\.json') for name, data in INDICES.items()),
    *(Case(f'cache: {name}', _section(**files), {'section': _open}, words) for name, (files, words) in FILES.items()),
    *(Case(f'cache: manifest of {name}', _not_a_file(maker, MANIFEST), {'section': _open}, r'manifest\.json|holds no cache')
    for name, maker in NOT_TOO_LONG.items()),
    *(Case(f'cache: shard of {name}', _not_a_file(maker, 'text-00000.f16'), {'section': _open}, r'text-00000\.f16') for name,
    maker in NOT_TOO_LONG.items()),
    *(Case(f'cache: index of {name}', _not_a_file(maker, INDEX), {'section': _open}, r'index\.json') for name, maker
    in NOT_TOO_LONG.items()),
    Case('cache: dims that are text', _section(lambda manifest: manifest.update(embed_dims='x')), {'teacher': _teacher},
    r'manifest\.json'),
    *(Case(f'record: {name}', content('checkpoints.json', text), {'record': _record}, Harmless(value)) for name, (text, value)
    in RECORDS.items()),
    *(Case(f'record: {name}', maker, {'record': _record}, Harmless(None)) for name, maker
    in no_files('checkpoints.json', '.json').items() if 'long' not in name),
    Case('work folder: good', _work_dir(), {'resume': _candidates}, Harmless(['iter_3.pth', 'iter_2.pth', 'iter_1.pth'])),
    Case('work folder: steps of text', _work_dir(iter='x'), {'resume': _candidates},
    Harmless(['iter_2.pth', 'iter_3.pth', 'iter_1.pth'])),
    Case('work folder: a run that is a list', _work_dir(run=[]), {'resume': _candidates},
    Harmless(['iter_3.pth', 'iter_2.pth', 'iter_1.pth'])),
    Case('work folder: devices and folders', _odd_checkpoint, {'resume': lambda folder: _candidates(folder)[-3:]},
    Harmless(['iter_3.pth', 'iter_2.pth', 'iter_1.pth'])),
    Case('lock: a holder of a million letters', _busy, {'lock': _try_lock}, Harmless(True)),
    Case('lock: a holder that is no JSON', lambda folder: (content(HOLDER, '{')(folder), folder)[1], {'lock': _try_lock},
    Harmless(True)),
    Case('lock: a holder that is a list', lambda folder: (content(HOLDER, '[]')(folder), folder)[1], {'lock': _try_lock},
    Harmless(True)),
]
