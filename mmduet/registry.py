"""Registries of mmduet: children of MMEngine's roots, so a component is ``mmduet.Name`` from every scope.

Class objects work as ``type`` everywhere; a string needs its scope, because ``default_scope`` outranks the registry that
is asked. Components are imported on the first look-up.
"""
from mmengine.registry import DATA_SAMPLERS as ROOT_DATA_SAMPLERS
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import LOG_PROCESSORS as ROOT_LOG_PROCESSORS
from mmengine.registry import LOOPS as ROOT_LOOPS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODEL_WRAPPERS as ROOT_MODEL_WRAPPERS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as ROOT_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import OPTIM_WRAPPERS as ROOT_OPTIM_WRAPPERS
from mmengine.registry import OPTIMIZERS as ROOT_OPTIMIZERS
from mmengine.registry import PARAM_SCHEDULERS as ROOT_PARAM_SCHEDULERS
from mmengine.registry import RUNNERS as ROOT_RUNNERS
from mmengine.registry import TASK_UTILS as ROOT_TASK_UTILS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import VISBACKENDS as ROOT_VISBACKENDS
from mmengine.registry import VISUALIZERS as ROOT_VISUALIZERS
from mmengine.registry import Registry


def _child(name: str, parent: Registry, *locations: str) -> Registry:
    return Registry(name, parent=parent, scope='mmduet', locations=list(locations))


MODELS = _child('model', ROOT_MODELS, 'mmduet.models', 'mmduet.models.teachers', 'mmduet.teacher_cache',
                'mmduet.refshapes.clip_pretrainer', 'mmduet.refshapes.visual_pretrainer')
TASK_UTILS = _child('task util', ROOT_TASK_UTILS, 'mmduet.models', 'mmduet.evaluation')
DATASETS = _child('dataset', ROOT_DATASETS, 'mmduet.datasets', 'mmduet.refshapes.region_dataset')
DATA_SAMPLERS = _child('data sampler', ROOT_DATA_SAMPLERS, 'mmduet.datasets')
TRANSFORMS = _child('transform', ROOT_TRANSFORMS, 'mmduet.datasets')
METRICS = _child('metric', ROOT_METRICS, 'mmduet.evaluation', 'mmduet.refshapes.region_retrieval_metric')
RUNNERS = _child('runner', ROOT_RUNNERS, 'mmduet.engine')
LOOPS = _child('loop', ROOT_LOOPS, 'mmduet.engine')
HOOKS = _child('hook', ROOT_HOOKS, 'mmduet.engine')
OPTIM_WRAPPERS = _child('optimizer wrapper', ROOT_OPTIM_WRAPPERS, 'mmduet.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('optimizer wrapper constructor', ROOT_OPTIM_WRAPPER_CONSTRUCTORS, 'mmduet.engine')
VISUALIZERS = _child('visualizer', ROOT_VISUALIZERS, 'mmduet.visualization')

# Nothing of ours is registered here; without them MMEngine warns, at every optimizer, that the scope is missing.
LOG_PROCESSORS = _child('log processor', ROOT_LOG_PROCESSORS)
MODEL_WRAPPERS = _child('model wrapper', ROOT_MODEL_WRAPPERS)
OPTIMIZERS = _child('optimizer', ROOT_OPTIMIZERS)
PARAM_SCHEDULERS = _child('parameter scheduler', ROOT_PARAM_SCHEDULERS)
VISBACKENDS = _child('vis backend', ROOT_VISBACKENDS)
