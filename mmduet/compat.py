"""The host mmduet runs on: which lineage of MMEngine, MMCV and MMDetection is installed, its missing operators, its readers.

Two lineages share the import names ``mmengine``, ``mmcv`` and ``mmdet``: the maintained OneDL fork and the dormant
OpenMMLab originals. Installed over each other they break both, so exactly one must be there.

MMDetection imports ``mmcv.ops``, which wants the compiled module ``mmcv._ext``. No part of mmduet calls a compiled
operator, and building them needs a compiler, so where the module is missing a stand-in takes its place: MMDetection
imports, and an operator raises only when it is called. A real ``mmcv._ext`` is used and never replaced.

MMEngine's optimizer of sharded states wants ``torch.distributed.optim``, a third of the time that importing MMEngine takes. The
runner refuses it, so MMEngine is imported as on a PyTorch without.

MMEngine reads weights and YAML in ways that run what a file says. ``mmduet.io.host_files`` puts our readers in their place.
"""
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from importlib import import_module, metadata
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from io import StringIO
from types import ModuleType
from typing import Any, NoReturn

from mmduet.io.host_files import guard_host_files

# Distributions that provide each lineage; a lineage is complete with one of each tuple.
LINEAGES: dict[str, tuple[tuple[str, ...], ...]] = {
    'onedl': (('onedl-mmengine', ), ('onedl-mmcv', ), ('onedl-mmdetection', )),
    'openmmlab': (('mmengine', 'mmengine-lite'), ('mmcv', 'mmcv-lite'), ('mmdet', )),
}

PARTS = ('mmengine', 'mmcv', 'mmdet')
OPERATORS = 'mmcv._ext'
# What a module of the host can do without, and is imported without.
SPARED = {'mmengine.optim.optimizer.zero_optimizer': 'torch.distributed.optim'}
# What prints a line for debugging when it is imported, into the output of a command.
QUIET = ('mmdet.datasets', 'mmdet.datasets.transforms')


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
    """Whether ``MissingOperators`` stands for ``mmcv._ext``, because there is none."""
    return isinstance(import_module(OPERATORS), MissingOperators)


class _OperatorLoader(Loader):
    """Makes the stand-in; MMEngine's runner asks for the spec of it, which the import system sets."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """See ``importlib.abc.Loader``."""
        return MissingOperators(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing."""


@contextmanager
def _without(spared: str) -> Iterator[None]:
    """As if a module could not be imported."""
    modules: dict[str, Any] = sys.modules
    spare = spared not in modules
    if spare:
        modules[spared] = None  # as Python has it: an import is an ImportError
    try:
        yield
    finally:
        if spare:
            del modules[spared]


class _LoaderWithin(Loader):
    """Executes a module within a context."""

    def __init__(self, loader: Loader, context: AbstractContextManager[Any]) -> None:
        self._loader, self._context = loader, context

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """See ``importlib.abc.Loader``."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module."""
        with self._context:
            self._loader.exec_module(module)


class _HostFinder(MetaPathFinder):
    """Checks the host when its first part is imported, and finds the stand-in where there are no operators.

    So ``import mmduet`` imports nothing of it, and what needs no host, such as an exported model, is run without one.
    """

    def __init__(self) -> None:
        self._checked = False

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """See ``importlib.abc.MetaPathFinder``; None for what the other finders find.

        Raises:
            HostError: see ``detect_host``.
        """
        if not self._checked and fullname in PARTS:
            detect_host()
            self._checked = True
        if fullname != OPERATORS and fullname not in SPARED and fullname not in QUIET:
            return None
        others = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        found = next((spec for spec in others if spec is not None), None)
        if fullname == OPERATORS:
            return found or ModuleSpec(fullname, _OperatorLoader())
        if found is not None and found.loader is not None:
            context = _without(SPARED[fullname]) if fullname in SPARED else redirect_stdout(StringIO())
            found.loader = _LoaderWithin(found.loader, context)
        return found


def prepare_host() -> None:
    """Check the host, make MMDetection importable and its reading of files safe, when it is imported; called by mmduet."""
    guard_host_files()
    if any(isinstance(finder, _HostFinder) for finder in sys.meta_path):
        return
    if any(name in sys.modules for name in PARTS):
        detect_host()
    sys.meta_path.insert(0, _HostFinder())
