"""Short hashes of what a run depends on: its config without paths, its data, its initial weights."""
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from mmduet.io.errors import DataError
from mmduet.io.files import find_file, sha256_of
from mmduet.refshapes.writer import ABSENT, ABSENT_FILE

# What a training depends on, beside its seed and its data.
TRAINING = ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler', 'custom_hooks')
# Where things lie, and how data are kept at hand.
PATH_KEYS = frozenset({'data_root', 'image_dir', 'cache_mb', 'num_workers', 'persistent_workers'})
DIGITS = 12


def hash_bytes(content: bytes) -> str:
    """The first digits of SHA-256."""
    return sha256_of(content)[:DIGITS]


@cache
def hash_file(path: Path) -> str:
    """``hash_bytes`` of a file, read once per process."""
    return sha256_of(path)[:DIGITS]


def hash_config(config: Mapping[str, Any]) -> str:
    """Hash of the parts of a resolved config that training depends on, without paths.

    A string that names a file stands for the file's content, so that other weights are another config; an absolute path of
    anything else stands for its last part.
    """
    return hash_bytes(json.dumps(_plain({key: config.get(key) for key in TRAINING}), sort_keys=True).encode())


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items() if key not in PATH_KEYS}
    if isinstance(node, list | tuple | set | frozenset):
        return [_plain(value) for value in node]
    if isinstance(node, str) and '/' in node and '\n' not in node:
        return _plain_path(node)
    if node is None or isinstance(node, bool | int | float | str):
        return node
    if hasattr(node, '__qualname__'):
        return f'{node.__module__}.{node.__qualname__}'
    return str(node)


def _plain_path(text: str) -> str:
    try:
        path = find_file(text)
    except OSError:
        return text
    if path.is_file():
        return f'{path.name} {hash_file(path)}'
    return path.name if Path(text).is_absolute() else text


def hash_data(data_root: Path, splits: Sequence[str]) -> str:
    """Hash of the annotations of some splits and of what the manifest says of its sources, wherever they lie.

    Raises:
        DataError: there is no manifest, or a split is missing.
    """
    paths = [data_root / 'manifest.json', *(data_root / 'annotations' / f'{split}.jsonl' for split in splits)]
    for path in paths:
        if not path.is_file():
            raise DataError(f'there is no {path}: make the data with tools/make_refshapes.py and tools/prepare_dataset.py, or '
                            'name their folder with --data-root')
    manifest = json.loads(paths[0].read_text(encoding='utf-8'))
    # Expressions without a target have a file of their own, which says nothing of the other splits.
    sources = sorted(str(value) for name, value in manifest.get('sources', {}).items()
                     if Path(name).name != ABSENT_FILE or ABSENT in splits)
    files = [hash_file(path) for path in paths[1:]]
    return hash_bytes(json.dumps([manifest.get('dataset'), sources, files]).encode())


def hash_state(state: Mapping[str, torch.Tensor]) -> str:
    """Hash of names, types and values of a state dict."""
    return sha256_of(_pieces(state))[:DIGITS]


def _pieces(state: Mapping[str, torch.Tensor]) -> Iterator[bytes]:
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        yield f'{name} {tensor.dtype} {tuple(tensor.shape)}'.encode()
        yield tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
