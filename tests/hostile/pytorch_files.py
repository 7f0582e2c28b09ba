"""Files of PyTorch, as checkpoints, converters' inputs, teachers' weights and index files meet them; and plain pickles."""
import io
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mmduet.datasets.readers import find_dataset
from mmduet.engine.checkpoint import read_checkpoint
from mmduet.io.host_files import load_from_local
from mmduet.io.pickles import load_plain_pickle
from mmduet.io.weights import read_meta, read_weights
from tests.hostile.case import COMMAND, MARK, Calls, Case, Harmless, content, no_files
from tests.tiny_data import write_official

PICKLES = {
    'system, protocol 5': pickle.dumps({'state_dict': Calls(os.system, COMMAND)}),
    'eval, protocol 2': pickle.dumps(Calls(eval, f'__import__("os").mkdir("{MARK}")'), 2),
    'system, protocol 0': pickle.dumps(Calls(os.system, COMMAND), 0),
    'system by hand': b'cposix\nsystem\n(S"' + COMMAND.encode() + b'"\ntR.',
    'a dotted name': b'\x80\x04\x8c\x08builtins\x8c\x0dint.__class__\x93.',
    'a name from the stack': b'\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x04"1+1"\x85R.',
    'the registry of extensions': b'\x80\x02\x82\x01.',
    'INST': b'(S"' + COMMAND.encode() + b'"\nios\nsystem\n.',
    'OBJ': b'(cos\nsystem\nS"' + COMMAND.encode() + b'"\no.',
    'NEWOBJ': b'\x80\x02cos\n_wrap_close\n)\x81.',
    'getattr to globals': b'cbuiltins\ngetattr\ncmmengine.logging.history_buffer\nHistoryBuffer\nS"__init__"\n\x86R.',
    'a numpy array of another type': b'\x80\x02cnumpy.core.multiarray\n_reconstruct\ncbuiltins\ngetattr\nK\x00\x85C\x01b\x87R.',
    'torch.hub': b'\x80\x02ctorch.hub\nload\nX\x01\x00\x00\x00x\x85R.',
    'torch.jit': b'\x80\x02ctorch.jit\nload\nX\x01\x00\x00\x00x\x85R.',
    'a module to import': f'c{MARK}.anything\nthing\n.'.encode(),
    'subprocess': b'csubprocess\nPopen\n(S"' + COMMAND.encode() + b'"\ntR.',
    'runpy': b'crunpy\nrun_path\n(S"' + MARK.encode() + b'.py"\ntR.',
    'shutil': b'cshutil\nrmtree\n(S"/tmp"\ntR.',
    'a builtin by its old name': b'c__builtin__\nexec\n(S"1"\ntR.',
    'pickle in pickle': b'cpickle\nloads\n(S"cos\\nsystem\\n."\ntR.',
    'a persistent number': b'P' + MARK.encode() + b'\n.',
    'setting an attribute of a class': b'\x80\x02cmmengine.logging.history_buffer\nHistoryBuffer\n}X\x01\x00\x00\x00aK\x01sb.',
}
BOMB = b'\x80\x02})' + b''.join(b'q\x010h\x01h\x01\x86' for _ in range(45)) + b'K\x01s.'
# A list of lists of the same lists, which nobody would finish to print.
LISTS = b'\x80\x02]q\x00' + b''.join(b']q%c(h%ch%ce' % (k, k - 1, k - 1) for k in range(1, 60)) + b'.'
CYCLE = b'\x80\x02]q\x00h\x00a.'


def archive(name: str, pickled: bytes, numbers: bytes = b'', kind: int = zipfile.ZIP_STORED,
            also: dict[str, bytes] | None = None) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / name, 'w', kind) as file:
            for inner, data in {'data.pkl': pickled, 'byteorder': b'little', 'version': b'3\n', 'data/0': numbers,
                                **(also or {})}.items():
                file.writestr(f'archive/{inner}', data)
        return folder / name
    return make


def tensor(size: bytes = b'K\x02', offset: bytes = b'K\x00', stride: bytes = b'K\x01', count: bytes = b'K\x02') -> bytes:
    """The pickle of a state dict of one tensor, by hand."""
    return (b'\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n'
            b'X\x01\x00\x00\x000X\x03\x00\x00\x00cpu' + count + b'tQ' + offset + size + b'\x85' + stride
            + b'\x85\x89ccollections\nOrderedDict\n)RtRs.')


HUGE, NEGATIVE, TWO = b'J\xff\xff\xff\x7f', b'J\xff\xff\xff\xff', struct.pack('<ff', 1, 2)
TRICKS: dict[str, dict[str, bytes]] = {
    'a size beyond its storage': {'size': HUGE}, 'an offset beyond its storage': {'offset': HUGE},
    'a negative offset': {'offset': NEGATIVE}, 'a negative stride': {'stride': NEGATIVE},
    'a stride of 0 over 2**31 numbers': {'size': HUGE, 'stride': b'K\x00'}, 'a storage larger than its member':
    {'count': HUGE, 'size': HUGE}, 'a negative size': {'size': NEGATIVE}, 'a negative storage': {'count': NEGATIVE},
    'no size': {'size': b'N'}, 'a stride beyond its storage': {'stride': HUGE}}


def saved(name: str, value: Any, old: bool = False) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        torch.save(value, folder / name, _use_new_zipfile_serialization=not old)
        return folder / name
    return make


def changed(maker: Callable[[Path], Path], change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    """What another maker makes, with its bytes changed."""
    def make(folder: Path) -> Path:
        path = maker(folder)
        path.write_bytes(change(path.read_bytes()))
        return path
    return make


def _flip(data: bytes) -> bytes:
    place = data.index(TWO)
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1:]


def _overlap(data: bytes) -> bytes:
    """The directory's second entry points to the first member."""
    second = data.index(b'PK\x01\x02', data.index(b'PK\x01\x02') + 4)
    return data[:second + 42] + bytes(4) + data[second + 46:]


def _encrypt(data: bytes) -> bytes:
    place = data.index(b'PK\x01\x02')
    return data[:place + 8] + b'\x01' + data[place + 9:]


def _twice(folder: Path) -> Path:
    with zipfile.ZipFile(folder / 'a.pth', 'w') as file:
        file.writestr('archive/data.pkl', tensor())
        file.writestr('archive/data/0', TWO)
        file.filelist.append(file.filelist[0])
    return folder / 'a.pth'


def _tar(folder: Path) -> Path:
    with tarfile.open(folder / 'a.pth', 'w') as file:
        for name in ('storages', 'tensors', 'pickle'):
            data = PICKLES['system by hand']
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return folder / 'a.pth'


good = archive('a.pth', tensor(), TWO)
state = {'state_dict': {'w': torch.ones(2)}}
MADE: dict[str, tuple[Callable[[Path], Path], str]] = {
    'a bomb of equal tuples': (archive('a.pth', BOMB), r'a\.pth is not read: it repeats tuples'),
    'a bomb of equal tuples, old format': (content('a.pth', BOMB), r'a\.pth'),
    'a bomb of equal lists': (archive('a.pth', LISTS), r'a\.pth is not read: it holds containers nested'),
    'a list in itself': (archive('a.pth', CYCLE), r'a\.pth is not read: it holds containers nested'),
    'a storage that unpacks to 640 MB': (archive('a.pth', tensor(count=b'J\x00\x00\x00\x0a'), bytes(2**24),
    zipfile.ZIP_DEFLATED),
                                         r'a\.pth is truncated or corrupt \(.* is compressed'),
    'a member twice': (_twice, r'a\.pth is truncated or corrupt \(its directory names a member twice'),
    'members that overlap': (changed(good, _overlap), r'a\.pth is truncated or corrupt'),
    'an encrypted member': (changed(good, _encrypt), r'a\.pth is truncated or corrupt .*encrypted'),
    'a bit that changed': (changed(good, _flip), r'a\.pth is truncated or corrupt \(Bad CRC-32'),
    'half of it': (changed(good, lambda data: data[:len(data) // 2]), r'a\.pth is truncated or corrupt'),
    'its end alone': (changed(good, lambda data: data[len(data) // 2:]), r'a\.pth is truncated or corrupt'),
    'text before the archive': (changed(good, lambda data: b'#!/bin/sh\n' + data), r'a\.pth is truncated or corrupt'),
    'nothing in it': (content('a.pth', b''), r'a\.pth is truncated or corrupt \(empty file\)'),
    'four bytes': (content('a.pth', b'PK\x03\x04'), r'a\.pth is truncated or corrupt'),
    'text': (content('a.pth', 'root:x:0:0\n'), r'a\.pth holds no weights: it is a text file'),
    'a page of the web': (content('a.pth', '<!DOCTYPE html><html>404</html>'),
                          r'a\.pth holds no weights: it is a page of the web'),
    'a pointer of Git LFS': (content('a.pth', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n'),
                             r'a\.pth holds no weights: it is a pointer of Git LFS'),
    'zeros': (content('a.pth', bytes(4096)), r'a\.pth is truncated or corrupt'),
    'the tar of the first PyTorch': (_tar, r'a\.pth'),
    'the old format, cut': (changed(saved('a.pth', state, old=True), lambda data: data[:-5]),
    r'a\.pth is truncated or corrupt'),
    'the old format with a program': (saved('a.pth', {'state_dict': Calls(os.system, COMMAND)}, old=True),
    r'a\.pth .*run code'),
    'a program beside tensors': (saved('a.pth', {**state, 'x': Calls(os.system, COMMAND)}), r'a\.pth .*run code'),
    'a number': (saved('a.pth', 5), r'a\.pth:? holds a int'),
    'a list': (saved('a.pth', [torch.ones(1)]), r'a\.pth:? holds a list'),
    'text for weights': (saved('a.pth', {'model': 'x'}), r'a\.pth'),
    'members that lead outside': (archive('a.pth', PICKLES['system by hand'], also={f'../../{MARK}': b'x'}), r'a\.pth'),
    'no pickle in it': (changed(good, lambda data: data.replace(b'data.pkl', b'data.pkk')), r'a\.pth is truncated or corrupt'),
}
WEIGHTS = {'checkpoint': read_checkpoint, 'weights': read_weights, 'the host': load_from_local}
BOTH = {key: WEIGHTS[key] for key in ('checkpoint', 'weights')}


def _index(path: Path) -> Any:
    """The file as an index of TransVG's family."""
    path = path.rename(path.with_name('unc_val.pth')) if path.is_file() else path
    return find_dataset('refcoco_unc').read(path.parent, 'index')


def _refs(path: Path) -> Any:
    """The file as the references of an official folder."""
    write_official(path.parent / 'refcoco')
    path.rename(path.parent / 'refcoco/refs(unc).p')
    return find_dataset('refcoco_unc').read(path.parent / 'refcoco')


ENTRY = ('a.jpg', 'x', [1, 2, 3, 4], 'left cup', [])
INDICES = {
    'no list': ({'a': 1}, 'must hold a list of expressions, got dict'), 'an empty list': ([], 'must hold a list'),
    'entries that are too short': ([('a.jpg', 1)], 'entry 0: must hold 5 values'), 'entries that are numbers': ([7], 'entry 0'),
    'an image that is no text': ([(5, *ENTRY[1:])], 'image file and phrase must be text'),
    'an image outside': ([('../../../etc/passwd', *ENTRY[1:])], "field 'image' must be a file inside the folder"),
    'a box of text': ([(*ENTRY[:2], 'abcd', *ENTRY[3:])], 'bbox must be four numbers'),
    'a box of nan': ([(*ENTRY[:2], [float('nan')] * 4, *ENTRY[3:])], 'bbox must be finite'),
    'a box without size': ([(*ENTRY[:2], [5, 5, -3, 2], *ENTRY[3:])], 'negative size'),
    'a phrase of numbers': ([(*ENTRY[:3], 9, [])], 'image file and phrase must be text')}
PLAIN: dict[str, tuple[bytes, str]] = {
    'a bomb of equal tuples': (BOMB, 'keys must be text or numbers'), 'a bomb of equal lists': (LISTS, 'containers nested'),
    'a list in itself': (CYCLE, 'containers nested'), 'the number 2**31 of a memo': (b'\x80\x02]r\xff\xff\xff\x7f.',
    'must hold a list'),
    'bytes of 2**60': (b'\x80\x04\x8e' + struct.pack('<Q', 2**60) + b'a.', 'corrupt'),
    'a number of 2**31 bytes': (b'\x80\x02\x8b\xff\xff\xff\x7fab.', 'corrupt'),
    'lists 20,000 deep': (b'\x80\x02' + b'](' * 20_000 + b'e' * 20_000 + b'.', 'containers nested'),
    'a number of a million digits': (b'I' + b'9' * 10**6 + b'\n.', 'corrupt'), 'nothing': (b'', 'empty'),
    'a set': (pickle.dumps({1, 2}), 'corrupt'), 'a frame longer than the file': (b'\x80\x04\x95' + struct.pack('<Q',
    2**50) + b'.', 'corrupt'),
    'text': (b'hello\n', ': Memo value not found'), 'half a list': (pickle.dumps([{'a': 1}])[:-4], 'corrupt'),
    'a class of a date': (pickle.dumps(__import__('datetime').date(2020, 1, 1)), 'refuses to load the class datetime.date'),
    'a number': (pickle.dumps(5), 'must hold a list'), 'references of text': (pickle.dumps(['a']), 'reference 0'),
    'a mapping': (pickle.dumps({'a': 1}), 'must hold a list'), 'no references': (pickle.dumps([]), 'must hold a list')}

CASES = [
    Case('the tensor by hand is one', good, {'weights': lambda path: read_weights(path)['w'].tolist()}, Harmless([1, 2])),
    *(Case(f'pickle: {name}', content('a.pth', data), WEIGHTS, r'a\.pth') for name, data in PICKLES.items()),
    *(Case(f'pickle in an archive: {name}', archive('a.pth', data), WEIGHTS, r'a\.pth') for name, data in PICKLES.items()),
    # What a file says of itself is asked of every file of a folder, and that of one which cannot be read is nothing.
    *(Case(f'meta of a pickle, {make.__name__}: {name}', make('a.pth', data), {'meta': read_meta}, Harmless({}))
      for make in (content, archive) for name, data in PICKLES.items()),
    *(Case(f'tensor: {name}', archive('a.pth', tensor(**trick), TWO), BOTH, r'a\.pth') for name, trick in TRICKS.items()),
    *(Case(f'checkpoint: {name}', maker, BOTH, words) for name, (maker, words) in MADE.items()),
    Case('checkpoint: no tensor', saved('a.pth', {'state_dict': {}}), {'weights': read_weights}, r'a\.pth: holds no tensor'),
    *(Case(f'checkpoint: {name}', maker, WEIGHTS, r'\.pth') for name, maker in no_files('a.pth', '.pth').items()),
    *(Case(f'references: {name}', content('refs.p', data), {'plain': load_plain_pickle}, r'refs\.p')
      for name, data in PICKLES.items()),
    *(Case(f'references: {name}', content('refs.p', data), {'official': _refs}, rf'refs\(unc\)\.p.*{words}')
      for name, (data, words) in PLAIN.items()),
    *(Case(f'references: {name}', maker, {'plain': load_plain_pickle}, r'\.p\b') for name, maker
    in no_files('refs.p', '.p').items()),
    *(Case(f'index: {name}', saved('a.pth', value), {'index': _index}, rf'unc_val\.pth.*{words}')
      for name, (value, words) in INDICES.items()),
    Case('index: a program', content('a.pth', PICKLES['system by hand']), {'index': _index}, r'unc_val\.pth'),
    Case('index: a bomb of equal lists', archive('a.pth', LISTS), {'index': _index}, r'unc_val\.pth is not read'),
]
