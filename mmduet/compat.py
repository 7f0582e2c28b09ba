"""The host mmduet runs on: which lineage of MMEngine, MMCV and MMDetection is installed, its missing operators, its readers.

Two lineages share the import names ``mmengine``, ``mmcv`` and ``mmdet``: the maintained OneDL fork and the dormant
OpenMMLab originals. Installed over each other they break both, so exactly one must be there.

MMDetection imports ``mmcv.ops``, which wants the compiled module ``mmcv._ext``. No part of mmduet calls a compiled
operator, and building them needs a compiler, so where the module is missing a stand-in takes its place: MMDetection
imports, and an operator raises only when it is called. A real ``mmcv._ext`` is used and never replaced.

MMEngine reads weights and YAML in ways that run what a file says. ``mmduet.io.host_files`` puts our readers in their place.
"""
import importlib.util
import sys
from importlib import metadata
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

from mmduet.io.host_files import guard_host_files

# Distributions that provide each lineage; a lineage is complete with one of each tuple.
LINEAGES: dict[str, tuple[tuple[str, ...], ...]] = {
    'onedl': (('onedl-mmengine', ), ('onedl-mmcv', ), ('onedl-mmdetection', )),
    'openmmlab': (('mmengine', 'mmengine-lite'), ('mmcv', 'mmcv-lite'), ('mmdet', )),
}


class HostError(ImportError):
    """The host frameworks are missing, incomplete or installed twice."""


def detect_host() -> str:
    """Name of the one complete lineage, ``'onedl'`` or ``'openmmlab'``; a ``HostError`` says what to install or remove."""
    present = {lineage: [[name for name in part if any(metadata.distributions(name=name))] for part in parts]
               for lineage, parts in LINEAGES.items()}
    touched = {lineage: [name for part in parts for name in part] for lineage, parts in present.items() if any(parts)}
    if not touched:
        raise HostError('mmduet needs MMEngine, MMCV and MMDetection: run `pip install "mmduet[onedl]"` '
                        '(maintained) or `pip install "mmduet[openmmlab]"` (the original releases).')
    if len(touched) > 1:
        remove = ' '.join(touched['openmmlab'])
        raise HostError(f'{" ".join(touched["onedl"])} and {remove} are both installed and overwrite each other: run '
                        f'`pip uninstall {remove}`, then `pip install --force-reinstall --no-deps '
                        f'{" ".join(touched["onedl"])}`.')
    lineage = next(iter(touched))
    missing = [part[0] for part, found in zip(LINEAGES[lineage], present[lineage], strict=True) if not found]
    if missing:
        raise HostError(f'{" ".join(touched[lineage])} is installed without {" ".join(missing)}: '
                        f'run `pip install "mmduet[{lineage}]"`.')
    return lineage


class MissingOperators(ModuleType):
    """Stands for ``mmcv._ext``: every operator exists, and raises when called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)

        def operator(*_args: Any, **_kwargs: Any) -> NoReturn:
            raise RuntimeError(f'the compiled MMCV operator {name!r} is not installed; mmduet itself needs none. '
                               'Build MMCV with its operators (MMCV_WITH_OPS=1) to run a model that calls it.')

        operator.__name__ = name
        return operator


def install_operator_stand_in() -> bool:
    """Put ``MissingOperators`` in the place of ``mmcv._ext`` if there is none; return whether that was needed."""
    if 'mmcv._ext' in sys.modules:
        return isinstance(sys.modules['mmcv._ext'], MissingOperators)
    if importlib.util.find_spec('mmcv._ext') is not None:
        return False
    stand_in = MissingOperators('mmcv._ext')
    # MMEngine's runner asks importlib for the spec, which raises for a loaded module that has none.
    stand_in.__spec__ = ModuleSpec('mmcv._ext', loader=None)
    sys.modules['mmcv._ext'] = stand_in
    return True


def prepare_host() -> None:
    """Check the host, make MMDetection importable and its reading of files safe; called when mmduet is imported."""
    detect_host()
    install_operator_stand_in()
    guard_host_files()
