"""A teacher's targets for a split, on disk: float16 shards with checksums, an index and a manifest.

A cache is a folder with a section ``DATASET/SPLIT`` for every split. A section holds

* ``manifest.json``: which teacher spoke about which data, its logit scale and bias, the shards with their checksums, and
  whether all are there;
* ``index.json``: the texts and, by expression, the rows of its image, crop and texts (see ``CacheIndex``);
* ``text-00000.f16`` ...: rows of text embeddings, (n, D);
* ``image-00000.f16`` ...: for some images the rows of ``image`` (n, V, D), ``crop`` (m, V, D) and ``similarity`` (k, V, h, w),
  one after the other, V being 2 where the image is also there mirrored, else 1.

A shard ends with the SHA-256 of what comes before, so that a run that was stopped knows its finished shards.
"""
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmduet.io.errors import DataError
from mmduet.io.files import checked_name, read_regular, sha256_of, write_atomically
from mmduet.io.locks import reading
from mmduet.io.text import read_json

FORMAT = 3
MANIFEST, INDEX = 'manifest.json', 'index.json'
CHECKSUM = 'sha256'
DIGEST_BYTES = 32
FLOAT = np.dtype('<f2')
Rows = NDArray[np.float16]


class CacheError(DataError):
    """A cache of a teacher that is not there, not whole, or does not belong to what it is used with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheIndex:
    """Which rows belong to which expression; E expressions in the order of their rows of similarity.

    Attributes:
        texts: distinct texts in the order of their rows.
        ids: (E,) expression ids.
        image, crop: (E,) row of the image and of the crop of the target.
        text, mirrored_text: (E,) row of the words as they are and as they are with the mirrored image; -1 where never mirrored.
        others: (E,) rows of the crops of the other annotated boxes of the image; None where they are not cached.
    """

    texts: list[str]
    ids: list[str]
    image: list[int]
    crop: list[int]
    text: list[int]
    mirrored_text: list[int]
    others: list[list[int]] | None

    def encode(self) -> bytes:
        """The bytes of ``index.json``."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(',', ':')).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A file of rows.

    Attributes:
        name: of the file.
        parts: shape of each array in it, by name, in the order they lie there.
        sha256: of the arrays, hexadecimal; None before it is written.
    """

    name: str
    parts: Mapping[str, tuple[int, ...]]
    sha256: str | None = None

    @property
    def payload(self) -> int:
        """Bytes of the arrays."""
        return FLOAT.itemsize * sum(int(np.prod(shape)) for shape in self.parts.values())

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.payload + DIGEST_BYTES


def write_shard(folder: Path, shard: Shard, arrays: Mapping[str, Any]) -> None:
    """Write the arrays of a shard and their checksum.

    Raises:
        OSError: as ``write_atomically``.
        ValueError: an array has not the shape that the shard says.
    """
    pieces = []
    for name, shape in shard.parts.items():
        array = np.ascontiguousarray(arrays[name], dtype=FLOAT)
        if array.shape != tuple(shape):
            raise ValueError(f'{shard.name}: {name} must have shape {tuple(shape)}, got {array.shape}')
        pieces.append(array.tobytes())
    payload = b''.join(pieces)
    write_atomically(folder / shard.name, payload + bytes.fromhex(sha256_of(payload)))


def find_checksum(folder: Path, shard: Shard) -> str | None:
    """SHA-256 of the arrays of a finished shard; None where the file is missing, of another size or not what was written."""
    try:
        content = read_regular(folder / shard.name, shard.size)
    except (OSError, DataError):
        return None
    digest = sha256_of(memoryview(content)[:shard.payload])
    return digest if len(content) == shard.size and content[shard.payload:].hex() == digest else None


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a section.

    Raises:
        CacheError: there is none, it is not of this format, or it has changed since it was written.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise CacheError(f'{folder} holds no cache of a teacher (there is no {MANIFEST})')
    try:
        manifest = read_json(path)
    except DataError as error:
        raise CacheError(f'{path} is damaged: {error}') from error
    if not isinstance(manifest, dict):
        raise CacheError(f'{path} is damaged: it holds a {type(manifest).__name__}')
    if manifest.get('format') != FORMAT:
        raise CacheError(f'{path} has format {manifest.get("format")!r}, this version of mmduet reads {FORMAT}. Make it anew '
                         f'with: {manifest.get("command", "mmduet cache-teacher CONFIG")} --redo')
    if problem := _problem(manifest):
        raise CacheError(f'{path} is damaged: {problem}')
    return manifest


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a section, with a checksum of what it says; raises as ``write_atomically``."""
    content = {**manifest, CHECKSUM: checksum_of(manifest)}
    write_atomically(folder / MANIFEST, json.dumps(content, indent=1) + '\n')


def checksum_of(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest's content but its checksum, hexadecimal, however its JSON is spelt."""
    content = {key: value for key, value in manifest.items() if key != CHECKSUM}
    return sha256_of(json.dumps(content, sort_keys=True).encode())


def _problem(manifest: Mapping[str, Any]) -> str | None:
    """What makes a manifest unusable, as a phrase; its names become those of files, and its shapes what is read of them."""
    if CHECKSUM in manifest and manifest[CHECKSUM] != checksum_of(manifest):
        return 'its checksum is that of another content'
    for name, kind in (('complete', bool), ('index_sha256', str), ('shards', list), ('command', str)):
        if type(manifest.get(name)) is not kind:
            return f'{name!r} is missing or no {kind.__name__}'
    if type(manifest.get('embed_dims', 1)) is not int:
        return "'embed_dims' is no int"
    try:
        for entry in manifest['shards']:
            checked_name(entry['name'], 'a shard')
            sizes = [size for shape in entry['parts'].values() for size in shape]
            good = isinstance(entry['sha256'], str | None) and all(type(size) is int and 0 <= size < 2**40 for size in sizes)
            if not good:
                return f'the entry of {entry["name"]} is not of ours'
    except (KeyError, TypeError, AttributeError, DataError) as error:
        return f'its shards are not of ours ({error})'
    return None


def list_shards(manifest: Mapping[str, Any]) -> list[Shard]:
    """The shards that a manifest names."""
    return [Shard(name=entry['name'], parts={name: tuple(shape) for name, shape in entry['parts'].items()},
                  sha256=entry['sha256']) for entry in manifest['shards']]


def differences(there: Mapping[str, Any], wanted: Mapping[str, Any], where: str = 'the cache',
                here: str = 'the config') -> list[str]:
    """A phrase for each key in which two mappings, or mappings inside them, differ."""
    found = []
    for key in dict.fromkeys([*wanted, *there]):
        first, second = there.get(key), wanted.get(key)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            found += [f'{key}.{phrase}' for phrase in differences(first, second, where, here)]
        elif first != second:
            found.append(f'{key} is {first!r} in {where} and {second!r} in {here}')
    return found


class _Table:
    """Rows of one name over all shards, read from the files' memory maps."""

    def __init__(self, blocks: Sequence[Rows]) -> None:
        self._blocks = blocks
        self._starts = np.cumsum([0, *(len(block) for block in blocks)])

    def __getitem__(self, row: int) -> Rows:
        block = int(np.searchsorted(self._starts, row, side='right')) - 1
        return self._blocks[block][row - self._starts[block]]


def lock_place(folder: Path) -> Path:
    """Where the lock of a section lies: beside it, as the section is removed where it is made anew."""
    return folder.with_name(f'.{folder.name}.lock')


class CacheSection:
    """A whole section, opened for reading; every file is compared with its checksum once, here.

    Args:
        folder: of the section.

    Attributes:
        manifest: as on disk.
        index: as on disk.
        tables: by ``text``, ``image``, ``crop`` and, where cached, ``similarity``: rows, float16.
        text_row: row of each text.
        position: row of each expression id in the index.

    Raises:
        CacheError: half written, a file is missing, or a bit of it has changed.
        LockedError: it is being written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with reading(folder, lock_place(folder)):
            self.manifest = read_manifest(folder)
            if not self.manifest['complete']:
                shards = list_shards(self.manifest)
                done = sum((folder / shard.name).exists() for shard in shards)
                raise CacheError(f'the cache {folder} is half written ({done} of {len(shards)} shards); go on with: '
                                 f'{self.manifest["command"]}')
            self.index = self._read_index()
            blocks: dict[str, list[Rows]] = {}
            for shard in list_shards(self.manifest):
                for name, rows in self._open(shard).items():
                    blocks.setdefault(name, []).append(rows)
        self.tables = {name: _Table(rows) for name, rows in blocks.items()}
        self.text_row = {text: row for row, text in enumerate(self.index.texts)}
        self.position = {key: position for position, key in enumerate(self.index.ids)}

    def __deepcopy__(self, memo: dict[int, Any]) -> 'CacheSection':
        return self

    def _read_index(self) -> CacheIndex:
        try:
            content = read_regular(self.folder / INDEX)
        except FileNotFoundError as error:
            raise self._damaged(INDEX, 'is missing') from error
        except (OSError, DataError) as error:
            raise self._damaged(INDEX, f'cannot be read ({getattr(error, "strerror", None) or error})') from error
        if sha256_of(content) != self.manifest['index_sha256']:
            raise self._damaged(INDEX, 'has not the checksum of the manifest')
        try:
            return CacheIndex(**json.loads(content))
        except (ValueError, TypeError, RecursionError) as error:
            raise self._damaged(INDEX, f'is not of ours ({error})') from error

    def _open(self, shard: Shard) -> dict[str, Rows]:
        path = self.folder / shard.name
        if not path.exists():
            raise self._damaged(shard.name, 'is missing')
        if find_checksum(self.folder, shard) != shard.sha256:
            raise self._damaged(shard.name, 'has not the checksum of the manifest')
        # A plain array over the map: rows of a memmap are slower to take.
        flat = np.asarray(np.memmap(path, dtype=FLOAT, mode='r', shape=(shard.payload // FLOAT.itemsize, )))
        ends = np.cumsum([int(np.prod(shape)) for shape in shard.parts.values()])
        return {name: part.reshape(shape) for (name, shape), part in
                zip(shard.parts.items(), np.split(flat, ends[:-1]), strict=True)}

    def _damaged(self, name: str, what: str) -> CacheError:
        return CacheError(f'{self.folder / name} {what}: the cache is damaged. Mend it with: {self.manifest["command"]}')
