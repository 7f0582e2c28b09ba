"""What the host reads and writes by itself, by our rules: weights by ``read_tensor_file``, YAML without objects, no code of a
hub; configs are written in one step and their order, and a line that the log's disk refuses names its file.

MMEngine's loader falls back to unpickling where weights alone do not do, its YAML makes any Python object, and transformers
asks on the terminal whether to run code that came with a tokenizer. Parts of ``mmdet`` with an ``init_cfg`` of the type
``Pretrained`` reach them, among others, so they are changed where they are defined, when they are imported.
"""
import importlib.abc
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlparse


def _read_weights(file: Any, map_location: Any = 'cpu', **_: Any) -> Any:
    """In the place of the host's ``torch.load``."""
    from mmduet.io.errors import DataError
    from mmduet.io.weights import read_tensor_file
    if not isinstance(file, str | os.PathLike):
        raise DataError('weights are read from local files: download them and give the local path')
    return read_tensor_file(Path(file).expanduser(), map_location)


def load_from_local(filename: str, map_location: Any = 'cpu') -> Any:
    """In the place of MMEngine's loader of local paths; MMEngine's log takes its name apart."""
    if not Path(filename).expanduser().is_file():
        raise FileNotFoundError(f'{filename} can not be found.')
    return _read_weights(filename, map_location)


def _fetch_weights(url: str, model_dir: str | None = None, map_location: Any = 'cpu', progress: bool = True,
                   **_: Any) -> Any:
    """In the place of MMEngine's ``load_url``; a name that ends in digits of a hash, as torch's do, is compared with it."""
    from torch.hub import HASH_REGEX, download_url_to_file, get_dir
    folder = Path(model_dir) if model_dir is not None else Path(get_dir()) / 'checkpoints'
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / Path(urlparse(url).path).name
    if not path.exists():
        stated = HASH_REGEX.search(path.name)
        download_url_to_file(url, str(path), stated.group(1) if stated else None, progress)
    return _read_weights(path, map_location)


class _TorchThatReadsWeights:
    """PyTorch, but for ``load``."""

    load = staticmethod(_read_weights)

    def __getattr__(self, name: str) -> Any:
        import torch
        return getattr(torch, name)


def _change_checkpoints(module: ModuleType) -> None:
    module.CheckpointLoader.register_scheme('', load_from_local, force=True)
    # The OneDL lineage reads by a function of its own, the original one by torch.load.
    if hasattr(module, '_safe_torch_load'):
        setattr(module, '_safe_torch_load', _read_weights)  # noqa: B010
    else:
        setattr(module, 'torch', _TorchThatReadsWeights())  # noqa: B010
    setattr(module, 'load_url', _fetch_weights)  # noqa: B010


def _change_yaml(module: ModuleType) -> None:
    import yaml
    setattr(module, 'Loader', getattr(yaml, 'CSafeLoader', yaml.SafeLoader))  # noqa: B010


def _change_config(module: ModuleType) -> None:
    from mmduet.io.config_text import config_text
    from mmduet.io.files import write_atomically

    def dump(self: Any, file: str | Path | None = None) -> str | None:
        """In the place of MMEngine's, which leaves half of a file where the disk is full, and sorts the keys of YAML."""
        suffix = Path(file or self.filename or 'config.py').suffix
        if suffix == '.py':
            text = str(self.pretty_text)
        else:
            from mmengine.fileio import dump as text_in
            order = {'sort_keys': False} if suffix in ('.yaml', '.yml') else {}
            text = text_in(self.to_dict(), file_format=suffix.removeprefix('.'), **order)
        if file is None:
            return text
        write_atomically(Path(file), text)
        return None

    module.Config.dump = dump
    module.Config.pretty_text = property(lambda self: config_text(self.to_dict()))


def _change_logs(module: ModuleType) -> None:
    from mmduet.io.files import naming
    write = module.LocalVisBackend._dump

    def dump(self: Any, value_dict: dict[str, Any], file_path: str, file_format: str) -> None:
        """In the place of MMEngine's, whose error names no file."""
        with naming(Path(file_path)):
            write(self, value_dict, file_path, file_format)

    module.LocalVisBackend._dump = dump


def _change_events(module: ModuleType) -> None:
    from mmduet.io.files import naming
    write = module.EventFileWriter.add_event

    def write_named(self: Any, event: Any) -> None:
        """In the place of TensorBoard's, whose error names no file."""
        with naming(Path(self._file_name)):
            write(self, event)

    module.EventFileWriter.add_event = write_named


def _change_hub_code(module: ModuleType) -> None:
    setattr(module, 'TIME_OUT_REMOTE_CODE', 0)  # noqa: B010 (not to ask, but to refuse)


CHANGES: dict[str, Callable[[ModuleType], None]] = {
    'mmengine.runner.checkpoint': _change_checkpoints,
    'mmengine.fileio.handlers.yaml_handler': _change_yaml,
    'mmengine.config.config': _change_config,
    'mmengine.visualization.vis_backend': _change_logs,
    'tensorboard.summary.writer.event_file_writer': _change_events,
    'transformers.dynamic_module_utils': _change_hub_code,
}


class _ChangeWhenImported(importlib.abc.MetaPathFinder):
    """Finds what the other finders find, and changes the modules of ``CHANGES`` once they are executed."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """See ``importlib.abc.MetaPathFinder``; None for a module that stays as it is."""
        if fullname not in CHANGES:
            return None
        others = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((spec for spec in others if spec is not None), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_change(module: ModuleType) -> None:
                execute(module)
                CHANGES[fullname](module)

            setattr(spec.loader, 'exec_module', execute_and_change)  # noqa: B010
        return spec


def guard_host_files() -> None:
    """Change the host's readers, those that are imported now and the others when they are; once."""
    if any(isinstance(finder, _ChangeWhenImported) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _ChangeWhenImported())
    for name, change in CHANGES.items():
        if name in sys.modules:
            change(sys.modules[name])
