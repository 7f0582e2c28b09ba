"""Registries of mmduet: children of MMEngine's roots, so a component is ``mmduet.Name`` from every scope.

Class objects work as ``type`` everywhere; a string needs its scope, because ``default_scope`` outranks the registry that
is asked. Components are imported on the first look-up, and teachers, whose libraries are slow to import, on the first of a
name that nothing else has: a layer's ``'Conv2d'`` imports none.
"""
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import mmengine.registry as root
from mmengine.registry import Registry


class OwnRegistry(Registry):
    """A registry that says what to do where a name is taken."""

    def _register_module(self, module: Any, module_name: str | list[str] | None = None, force: bool = False) -> None:
        try:
            super()._register_module(module, module_name, force)
        except KeyError as error:
            raise KeyError(f"{error.args[0]}: give yours another name, by its class or by register_module(name='Mine...')"
                           ) from error


class LateRegistry(OwnRegistry):
    """A registry of which some modules are imported only where a name is not found without.

    Args:
        locations: modules that are imported at the first look-up.
        late: modules that are imported at the first look-up of a name that neither those nor a parent registry have.
        rest: see MMEngine's ``Registry``.
    """

    def __init__(self, name: str, locations: Sequence[str] = (), late: Sequence[str] = (), **rest: Any) -> None:
        super().__init__(name, locations=[*locations, *late], **rest)
        self._first = list(locations)
        self._is_known = False

    def get(self, key: str) -> Any:
        """See ``Registry.get``."""
        if isinstance(key, str) and not self._imported:
            for location in self._first:
                import_module(location)
            self._is_known = self._has(*self.split_scope_key(key))
        try:
            return super().get(key)
        finally:
            self._is_known = False

    def _has(self, scope: str | None, name: str) -> bool:
        if scope not in (None, self.scope):
            return True  # in another registry, which imports its own
        registries = [self]
        while scope is None and (parent := registries[-1].parent) is not None:
            registries.append(parent)
        return any(name in registry.module_dict for registry in registries)

    def import_from_location(self) -> None:
        """Import all locations, once; while a name is looked up that is known without, nothing."""
        if not self._is_known:
            super().import_from_location()


def _child(name: str, parent: Registry, *locations: str) -> Registry:
    return OwnRegistry(name, parent=parent, scope='mmduet', locations=list(locations))


MODELS = LateRegistry('model', ['mmduet.models'], ['mmduet.models.teachers', 'mmduet.teacher_cache',
                                                   'mmduet.refshapes.clip_pretrainer', 'mmduet.refshapes.visual_pretrainer'],
                      parent=root.MODELS, scope='mmduet')
TASK_UTILS = LateRegistry('task util', ['mmduet.models', 'mmduet.evaluation'], ['mmduet.models.teachers'],
                          parent=root.TASK_UTILS, scope='mmduet')
DATASETS = _child('dataset', root.DATASETS, 'mmduet.datasets', 'mmduet.refshapes.region_dataset')
DATA_SAMPLERS = _child('data sampler', root.DATA_SAMPLERS, 'mmduet.datasets')
TRANSFORMS = _child('transform', root.TRANSFORMS, 'mmduet.datasets')
METRICS = _child('metric', root.METRICS, 'mmduet.evaluation', 'mmduet.refshapes.region_retrieval_metric')
RUNNERS = _child('runner', root.RUNNERS, 'mmduet.engine.components')
LOOPS = _child('loop', root.LOOPS, 'mmduet.engine.components')
HOOKS = _child('hook', root.HOOKS, 'mmduet.engine.components')
OPTIM_WRAPPERS = _child('optimizer wrapper', root.OPTIM_WRAPPERS, 'mmduet.engine.components')
OPTIM_WRAPPER_CONSTRUCTORS = _child('optimizer wrapper constructor', root.OPTIM_WRAPPER_CONSTRUCTORS,
                                    'mmduet.engine.components')
INFERENCERS = _child('inferencer', root.INFERENCERS, 'mmduet.apis.inferencer')
# MMEngine has no root for these.
EXPORTERS = OwnRegistry('exporter', scope='mmduet', locations=['mmduet.export.onnx_exporter'])
VISUALIZERS = _child('visualizer', root.VISUALIZERS, 'mmduet.visualization')

# Nothing of ours is registered here; without them MMEngine warns, at every optimizer, that the scope is missing.
LOG_PROCESSORS = _child('log processor', root.LOG_PROCESSORS)
MODEL_WRAPPERS = _child('model wrapper', root.MODEL_WRAPPERS)
OPTIMIZERS = _child('optimizer', root.OPTIMIZERS)
PARAM_SCHEDULERS = _child('parameter scheduler', root.PARAM_SCHEDULERS)
VISBACKENDS = _child('vis backend', root.VISBACKENDS)
