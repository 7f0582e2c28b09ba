"""What is installed and here: the facts that ``mmduet doctor`` prints. Nothing is fetched."""
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal, TypeAlias

import mmduet
from mmduet.compat import LINEAGES, HostError, detect_host
from mmduet.engine.version import find_commit
from mmduet.io.files import CONFIGS, PACKAGE_PARENT, find_file

State: TypeAlias = Literal['ok', 'note', 'broken']
REQUIRED = ('torch', 'torchvision', 'open_clip_torch', 'transformers', 'timm', 'huggingface_hub', 'safetensors', 'numpy',
            'pillow')
OPTIONAL = {'onnx': 'export', 'onnxruntime': 'export', 'gradio': 'demo', 'shtab': 'dev'}
OPENCV = ('opencv-python', 'opencv-python-headless', 'opencv-contrib-python', 'opencv-contrib-python-headless')
_LEAST_FREE = 5 << 30  # bytes: a training keeps a few checkpoints of a gigabyte


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis.

    Attributes:
        part: what it is about, such as ``'software'`` or ``'data'``.
        name: what was looked at.
        value: what was found.
        state: ``'ok'``; ``'note'`` for what may be meant so; ``'broken'`` for what cannot work.
        advice: what to do next, a command where there is one; empty where there is nothing to do.
    """

    part: str
    name: str
    value: str
    state: State = 'ok'
    advice: str = ''

    def to_dict(self) -> dict[str, str]:
        """The finding as JSON data."""
        return asdict(self)


def diagnose() -> list[Finding]:
    """Everything, in the order in which it is printed."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (_software, _host, _opencv, _devices, _data, _weights, _disk)
    return [finding for check in checks for finding in check()]


def version_of(distribution: str) -> str | None:
    """The version of an installed distribution; None where there is none."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _software() -> Iterator[Finding]:
    commit = find_commit()
    yield Finding('software', 'mmduet', f'{mmduet.__version__}, {f"commit {commit}" if commit else "no checkout"}, in '
                                        f'{PACKAGE_PARENT}')
    yield Finding('software', 'Python', f'{platform.python_version()} ({sys.executable})')
    yield Finding('software', 'system', f'{platform.system()} {platform.release()}, {platform.machine()}, '
                                        f'{os.cpu_count()} cores')
    for name in REQUIRED:
        found = version_of(name)
        yield Finding('software', name, found or 'not installed', 'ok' if found else 'broken',
                      '' if found else f'pip install {name}')
    for name, extra in OPTIONAL.items():
        found = version_of(name)
        yield Finding('software', name, found or 'not installed', 'ok' if found else 'note',
                      '' if found else f'pip install "mmduet[{extra}]" where you need it')


def _host() -> Iterator[Finding]:
    try:
        lineage = detect_host()
    except HostError as error:
        yield Finding('host', 'MMEngine, MMCV, MMDetection', 'missing, incomplete or twice', 'broken', str(error))
        return
    found = [(name, version_of(name)) for part in LINEAGES[lineage] for name in part]
    yield Finding('host', lineage, ', '.join(f'{name} {version}' for name, version in found if version))


def _opencv() -> Iterator[Finding]:
    found = {name: version for name in OPENCV if (version := version_of(name))}
    said = ', '.join(f'{name} {version}' for name, version in found.items()) or 'not installed'
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        yield Finding('host', 'OpenCV', f'{said}; its import fails: {error}', 'broken', single_opencv(found))
        return
    yield Finding('host', 'OpenCV', said, 'ok' if len(found) == 1 else 'note', '' if len(found) == 1 else
                  f'{len(found)} packages share the folder cv2 and overwrite each other: {single_opencv(found)}')


def single_opencv(found: dict[str, str]) -> str:
    """The commands that leave one OpenCV, without windows, in an environment."""
    remove = f'pip uninstall -y {" ".join(found)}, then ' if found else ''
    kept = found.get('opencv-python-headless')
    return f'{remove}pip install --force-reinstall --no-deps opencv-python-headless{f"=={kept}" if kept else ""}'


def _devices() -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding('devices', 'PyTorch', f'its import fails: {error}', 'broken', 'reinstall torch for this system')
        return
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(number)
            yield Finding('devices', f'cuda:{number}', f'{about.name}, {about.total_memory / 2**30:.0f} GiB, CUDA '
                                                       f'{torch.version.cuda}')
    else:
        built = torch.version.cuda
        yield Finding('devices', 'CUDA', f'none that works; PyTorch is built for CUDA {built}' if built else
                      'none; PyTorch is built without it')
    has_mps = torch.backends.mps.is_available()
    yield Finding('devices', 'MPS', 'there' if has_mps else 'none')


def _stated(pattern: str) -> list[str]:
    """What the package's configs say, each once, in alphabetical order."""
    texts = [path.read_text(encoding='utf-8') for path in sorted(CONFIGS.rglob('*.py'))]
    return sorted({found for text in texts for found in re.findall(pattern, text)})


def _data() -> Iterator[Finding]:
    for name in _stated(r"data_root ?= ?'([^']+)'"):
        root = next((path for path in (Path(name), PACKAGE_PARENT / name) if path.is_dir()), None)
        if root is None:
            source = 'mmduet make-refshapes --out FOLDER, then ' if Path(name).name == 'refshapes' else ''
            yield Finding('data', name, 'not here', 'note', f'{source}mmduet prepare {Path(name).name} --source '
                                                            'DOWNLOADED --images FOLDER --check (docs/data.md)')
        elif not (root / 'manifest.json').is_file():
            yield Finding('data', name, f'{root} has no manifest.json', 'broken', f'prepare it anew: mmduet prepare '
                                                                                  f'{Path(name).name} --source DOWNLOADED')
        else:
            splits = sorted(path.stem for path in (root / 'annotations').glob('*.jsonl') if path.stem != 'objects')
            yield Finding('data', name, f'{root}: {", ".join(splits) or "no splits"}', 'ok' if splits else 'broken',
                          '' if splits else f'mmduet check {name}')


def _weights() -> Iterator[Finding]:
    for name in _stated(r"pretrained ?= ?'([^']+\.(?:safetensors|pth))'"):
        try:
            path = find_file(name)
        except FileNotFoundError:
            yield Finding('weights', name, 'not here', 'note', 'mmduet convert DOWNLOADED ' + name + ', or --no-pretrained')
        else:
            empty = not path.stat().st_size
            yield Finding('weights', name, 'empty' if empty else f'{path.stat().st_size / 1e6:.1f} MB',
                          'broken' if empty else 'ok', 'copy it again' if empty else '')
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return
    for name in _stated(r"pretrained ?= ?'([\w-]*bert[\w-]*)'"):
        cached = isinstance(try_to_load_from_cache(name, 'config.json'), str)
        yield Finding('weights', name, 'in the cache of the Hugging Face hub' if cached else 'not in the cache of the hub',
                      'ok' if cached else 'note', '' if cached else f'it is fetched when first used; offline, put a folder of '
                                                                    f'{name} there and name it in text_encoder.pretrained')


def _disk() -> Iterator[Finding]:
    free = shutil.disk_usage(Path.cwd()).free
    yield Finding('disk', 'free here', f'{free / 2**30:.1f} GiB', 'ok' if free >= _LEAST_FREE else 'note',
                  '' if free >= _LEAST_FREE else 'make room: a checkpoint of a full-size student takes about a gigabyte')
