"""Matrices of MATLAB, XML and zip archives, in which annotations come."""
import json
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmduet.datasets.readers.flickr30k import read_boxes
from mmduet.datasets.readers.mat_file import read_matrix
from mmduet.datasets.readers.source_files import open_source
from tests.hostile.case import COMMAND, MARK, Case, Harmless, content, no_files

OWN = {'image': 'a.png', 'expression': 'x', 'box': [1, 1, 2, 2]}


# --- matrices of MATLAB
def el(kind: int, data: bytes, size: int | None = None) -> bytes:
    return struct.pack('<II', kind, len(data) if size is None else size) + data + b'\0' * (-len(data) % 8)


def mat(*parts: bytes) -> bytes:
    return b'MATLAB 5.0'.ljust(124) + b'\0\1IM' + el(14, b''.join(parts))


def packed(data: bytes) -> bytes:
    return b'MATLAB 5.0'.ljust(124) + b'\0\1IM' + struct.pack('<II', 15, len(data)) + data


FLAGS, NAME = el(6, struct.pack('<II', 9, 0)), el(1, b'seg')
MATRICES = {
    'sizes whose product overflows': mat(FLAGS, el(5, struct.pack('<ii', 2**31 - 1, 2**31 - 1)), NAME, el(2, bytes(8))),
    'negative sizes': mat(FLAGS, el(5, struct.pack('<ii', -2, -4)), NAME, el(2, bytes(8))),
    'a part of 4 GB': mat(FLAGS, el(5, struct.pack('<ii', 2, 4)), NAME, el(2, bytes(8), 2**32 - 1)),
    'cells': mat(el(6, struct.pack('<II', 1, 0)), el(5, struct.pack('<ii', 1, 1)), NAME, el(2, b'\0')),
    'an object': mat(el(6, struct.pack('<II', 3, 0)), el(5, struct.pack('<ii', 1, 1)), NAME, el(2, b'\0')),
    'a function': mat(el(6, struct.pack('<II', 16, 0)), el(5, struct.pack('<ii', 1, 1)), NAME, el(2, b'\0')),
    'numbers of an unknown type': mat(FLAGS, el(5, struct.pack('<ii', 2, 4)), NAME, el(99, bytes(8))),
    'three sizes': mat(FLAGS, el(5, struct.pack('<iii', 2, 2, 2)), NAME, el(2, bytes(8))),
    'no numbers': mat(FLAGS, el(5, b''), NAME),
    '384 MB in 400 kB': packed(zlib.compress(bytes(3 * 2**27), 9)), 'no zlib': packed(b'nothing'),
    'HDF5': b'\x89HDF\r\n\x1a\n' + bytes(600),
    'nothing': b'', 'packed in packed': packed(zlib.compress(b'\x0f\0\0\0\x08\0\0\0' + bytes(8))),
    'odd bytes': mat(FLAGS, el(5, struct.pack('<ii', 1, 3)), NAME, el(9, bytes(23))),
    'another name': mat(FLAGS, el(5, struct.pack('<ii', 2, 4)), el(1, b'other'), el(2, bytes(8))), 'text': b'root:x:0:0',
    'flags of nothing': mat(el(6, b''), el(5, b''), NAME, el(2, b''))}

# --- XML
HEAD = '<?xml version="1.0"?>'
LAUGHS = HEAD + '<!DOCTYPE l [<!ENTITY a "ha">' + ''.join(f'<!ENTITY {chr(98 + k)} "&{chr(97 + k)};&{chr(97 + k)};">' for k
    in range(20)) + ']><l>&u;</l>'
BOX = ('<annotation><size><width>5</width><height>5</height></size><object><name>1</name><bndbox><xmin>{}</xmin><ymin>1</ymin>'
       '<xmax>{}</xmax><ymax>2</ymax></bndbox></object></annotation>')
XML: dict[str, tuple[str | bytes, str | Harmless]] = {
    'a billion laughs': (LAUGHS, 'declares a document type'),
    'a file of another': (HEAD + '<!DOCTYPE f [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', 'declares'),
    'a DTD on the web': (HEAD + '<!DOCTYPE a SYSTEM "http://evil.example/a.dtd"><a/>', 'declares'),
    'a DTD in UTF-16, which none is in': (
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE l [<!ENTITY a "ha">]><l>&a;</l>'.encode('utf-16'),
        'is no text in UTF-8'),
    'a DTD in UTF-7': ('<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE l+AD4-<l/>', 'is no annotation'),
    'elements 20,000 deep': ('<a>' * 20_000 + '</a>' * 20_000, Harmless(((0, 0), {}))),
    'a number that is none': (BOX.format('nan', 2), 'xmin <= xmax'),
    'an endless number': (BOX.format(1, 'inf'), 'xmin <= xmax'),
    'corners the wrong way round': (BOX.format(4, 2), 'xmin <= xmax'),
    'a number of text': (BOX.format('x', 2), 'is no annotation'),
    'a size of text': (BOX.format(1, 2).replace('>5<', '>x<'), 'is no annotation'), 'nothing': ('', 'is no annotation'),
    'no XML': ('hello', 'is no annotation'), 'half of it': (BOX.format(1, 2)[:50], 'is no annotation'),
    'a size of 5,000 digits': (BOX.format(1, 2).replace('>5<', '>' + '9' * 5000 + '<'), 'is no annotation')}


# --- archives
def zipped(members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / 'source.zip', 'w', kind) as file:
            for name, data in members.items():
                file.writestr(name, data)
        return folder / 'source.zip'
    return make


def _link(folder: Path) -> Path:
    member = zipfile.ZipInfo('l.json')
    member.create_system, member.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(folder / 'source.zip', 'w') as file:
        file.writestr(member, '/etc/passwd')
    return folder / 'source.zip'


def _lie(folder: Path) -> Path:
    """The size in the directory is a lie: what comes out is longer."""
    path = zipped({'a.json': b'[' + b'1,' * 10**5 + b'1]'})(folder)
    data = bytearray(path.read_bytes())
    for mark, offset in ((b'PK\1\2', 24), (b'PK\3\4', 22)):
        place = data.find(mark)
        data[place + offset:place + offset + 4] = struct.pack('<I', 10)
    path.write_bytes(data)
    return path


def _claim(folder: Path) -> Path:
    """A member that says it has 2**40 bytes."""
    path = folder / 'source.zip'
    member = zipfile.ZipInfo('a.json')
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr(member, b'[]')
        file.filelist[0].file_size = 2**40
    return path


def _cut(folder: Path) -> Path:
    path = zipped({'val.jsonl': json.dumps(OWN).encode()})(folder)
    path.write_bytes(path.read_bytes()[:-30])
    return path


def _bad_checksum(folder: Path) -> Path:
    path = zipped({'val.jsonl': json.dumps(OWN).encode()}, zipfile.ZIP_STORED)(folder)
    path.write_bytes(path.read_bytes().replace(b'"image"', b'"imagf"', 1))
    return path


def _names(path: Path) -> Any:
    with open_source(path) as files:
        return sorted(str(file.relative_to(files.root)) for file in files.paths)


REFUSES = r'source\.zip: refuses'
ARCHIVES: dict[str, tuple[Callable[[Path], Path], str | Harmless]] = {
    'a member that leads outside': (zipped({f'../../{MARK}.json': b'x'}), REFUSES),
    'a member of a full path': (zipped({'/tmp/x.json': b'x'}), REFUSES),
    'a member of a drive': (zipped({'C:\\x.json': b'x'}), REFUSES),
    'a parent of Windows': (zipped({'..\\x.json': b'x'}), REFUSES),
    'a link': (_link, REFUSES + '.*which is a link'), 'a size that is a lie': (_lie, r'source\.zip is truncated'),
    'a member of 2**40 bytes': (_claim, REFUSES + ' to unpack'),
    'cut': (_cut, r'source\.zip is truncated'), 'a byte that changed': (_bad_checksum, r'source\.zip is truncated'),
    'no archive': (content('source.zip', 'hello'), r'source\.zip is truncated'),
    'nothing': (content('source.zip', b''), r'source\.zip is truncated'),
    'programs, which are left': (zipped({'a.py': COMMAND.encode(), 'a.json': b'[]'}), Harmless(['a.json'])),
    '2,000 members of other kinds': (zipped({f'{number}.bin': b'' for number in range(2_000)}), Harmless([])),
    'folders 100 deep': (zipped({'a/' * 100 + 'a.json': b'[]'}), Harmless([])),
    'a name that is too long': (zipped({'a' * 300 + '.json': b'[]'}), r'source\.zip'),
    'a file where a folder is': (zipped({'a.json': b'[]', 'a.json/b.json': b'[]'}), r'source\.zip'),
    'a member of a name without letters': (zipped({'a/.json': b'[]'}), Harmless([])),
    'an archive in an archive': (zipped({'a.zip': b'PK\x03\x04'}), Harmless([]))}


CASES = [
    *(Case(f'matrix: {name}', content('m.mat', data), {'matrix': lambda path: read_matrix(path, 'seg')},
    r'm\.mat (cannot be read as a matrix|has no matrix)')
      for name, data in MATRICES.items()),
    *(Case(f'matrix: {name}', maker, {'matrix': lambda path: read_matrix(path, 'seg')}, r'\.mat cannot be read as a matrix')
    for name, maker in no_files('m.mat', '.mat').items()),
    *(Case(f'XML: {name}', content('a.xml', data), {'boxes': read_boxes},
           words if isinstance(words, Harmless) else rf'a\.xml.*{words}') for name, (data, words) in XML.items()),
    *(Case(f'XML: {name}', maker, {'boxes': read_boxes}, r'\.xml') for name, maker in no_files('a.xml', '.xml').items()),
    *(Case(f'archive: {name}', maker, {'archive': _names}, expected) for name, (maker, expected) in ARCHIVES.items()),
]
