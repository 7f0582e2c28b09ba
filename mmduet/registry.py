"""Registries of mmduet: children of MMEngine's roots, so a component is ``mmduet.Name`` from every scope.

Class objects work as ``type`` everywhere; a string needs its scope, because ``default_scope`` outranks the registry that
is asked. Components are imported on the first look-up.
"""
import mmengine.registry as root
from mmengine.registry import Registry


def _child(name: str, parent: Registry, *locations: str) -> Registry:
    return Registry(name, parent=parent, scope='mmduet', locations=list(locations))


MODELS = _child('model', root.MODELS, 'mmduet.models', 'mmduet.models.teachers', 'mmduet.teacher_cache',
                'mmduet.refshapes.clip_pretrainer', 'mmduet.refshapes.visual_pretrainer')
TASK_UTILS = _child('task util', root.TASK_UTILS, 'mmduet.models', 'mmduet.models.teachers', 'mmduet.evaluation')
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
EXPORTERS = Registry('exporter', scope='mmduet', locations=['mmduet.export.onnx_exporter'])
VISUALIZERS = _child('visualizer', root.VISUALIZERS, 'mmduet.visualization')

# Nothing of ours is registered here; without them MMEngine warns, at every optimizer, that the scope is missing.
LOG_PROCESSORS = _child('log processor', root.LOG_PROCESSORS)
MODEL_WRAPPERS = _child('model wrapper', root.MODEL_WRAPPERS)
OPTIMIZERS = _child('optimizer', root.OPTIMIZERS)
PARAM_SCHEDULERS = _child('parameter scheduler', root.PARAM_SCHEDULERS)
VISBACKENDS = _child('vis backend', root.VISBACKENDS)
