"""MMEngine's options that cannot work here, refused in a sentence, and activation checkpointing that keeps every gradient."""
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmengine.model import MMSeparateDistributedDataParallel
from mmengine.optim import AmpOptimWrapper, ApexOptimWrapper, ZeroRedundancyOptimizer
from mmengine.registry import MODEL_WRAPPERS, OPTIM_WRAPPERS, OPTIMIZERS, Registry
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from mmduet.compat import install_operator_stand_in
from mmduet.datasets import GroundingDataset, JointDataset
from mmduet.engine.config_tools import ConfigError
from mmduet.engine.mixed_precision import DTYPES
from mmduet.engine.optim import MixedPrecisionOptimWrapper
from mmduet.io.config_files import nearest
from mmduet.registry import DATASETS

WRAPPERS = (ConcatDataset, RepeatDataset, ClassBalancedDataset)


def refuse_options(cfg: Mapping[str, Any], cuda: bool) -> None:
    """Raise a ``ConfigError`` where the config of a runner asks of MMEngine what it cannot have, with ``cuda`` or without."""
    optim, hook = (options if isinstance(options, Mapping) else {}
                   for options in (cfg.get('optim_wrapper'), (cfg.get('default_hooks') or {}).get('checkpoint')))
    wrapper = _find_class(cfg.get('model_wrapper_cfg'), MODEL_WRAPPERS, DistributedDataParallel)
    kind = _find_class(optim, OPTIM_WRAPPERS, object)
    mixed = issubclass(kind, MixedPrecisionOptimWrapper)
    optimizer = _find_class(optim.get('optimizer'), OPTIMIZERS, object)
    sync_bn = cfg.get('sync_bn')
    for refused, sentence in (
            (not issubclass(wrapper, DistributedDataParallel),
             f'model_wrapper_cfg: {wrapper.__name__} does not keep the whole model in every process, as checkpoints need it: '
             'use MMDistributedDataParallel'),
            (issubclass(wrapper, MMSeparateDistributedDataParallel),
             f'model_wrapper_cfg: {wrapper.__name__} wraps each part of a model for an optimizer of its own, and a grounder '
             'has one optimizer: use MMDistributedDataParallel'),
            (sync_bn is not None and not cuda,
             'sync_bn: PyTorch has synchronised batch norm for CUDA devices only, and there is none'),
            (sync_bn == 'mmcv' and install_operator_stand_in(),
             "sync_bn='mmcv' needs MMCV's compiled operators, which are not installed: use sync_bn='torch'"),
            (issubclass(kind, ApexOptimWrapper),
             'optim_wrapper: ApexOptimWrapper needs NVIDIA Apex, whose mixed precision is in PyTorch now: use '
             'mmduet.MixedPrecisionOptimWrapper'),
            (issubclass(kind, AmpOptimWrapper) and not mixed and not cuda,
             'optim_wrapper: AmpOptimWrapper works on accelerators only, and there is none: use '
             "mmduet.MixedPrecisionOptimWrapper with dtype='bf16'"),
            (mixed and not cuda and DTYPES.get(optim.get('dtype', '')) == torch.float16,
             'optim_wrapper: fp16 needs a CUDA device, and there is none: use bf16 (--amp bf16)'),
            (issubclass(optimizer, ZeroRedundancyOptimizer),
             'optim_wrapper.optimizer: ZeroRedundancyOptimizer keeps a part of its state in each process, and checkpoints hold '
             'the whole: use the optimizer itself'),
            (hook.get('backend_args') or hook.get('file_client_args'),
             'default_hooks.checkpoint: checkpoints are replaced in one step, which only local folders can: leave backend_args '
             'and file_client_args out')):
        if refused:
            raise ConfigError(sentence)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        refuse_wrapper(name, (cfg.get(name) or {}).get('dataset'))


def refuse_model_wrapper(cfg: Mapping[str, Any]) -> None:
    """Raise a ``ConfigError`` where the model of a config is a wrapper of MMEngine's, which only a training can build."""
    kind = _find_class(cfg['model'], MODEL_WRAPPERS, object) if isinstance(cfg.get('model'), Mapping) else object
    if kind in MODEL_WRAPPERS.module_dict.values():
        raise ConfigError(f'model: {kind.__name__} wraps a model that is built: name the model itself, and the wrapper by '
                          'model_wrapper_cfg')


def refuse_wrapper(loader: str, dataset: Any) -> None:
    """Raise a ``ConfigError`` for MMEngine's wrappers over data sets of ours, which they would ask for ``full_init``."""
    wrapper = _find_class(dataset, DATASETS, object) if isinstance(dataset, Mapping) else object
    if not (isinstance(wrapper, type) and issubclass(wrapper, WRAPPERS)):
        return
    for inner in dataset.get('datasets') or [dataset.get('dataset')]:
        kind = _find_class(inner, DATASETS, object) if isinstance(inner, Mapping) else object
        if isinstance(kind, type) and issubclass(kind, (GroundingDataset, JointDataset)):
            raise ConfigError(f'{loader}.dataset: {wrapper.__name__} of MMEngine wraps data sets of MMEngine, and '
                              f'{kind.__name__} is none: several are joined by mmduet.JointDataset, which knows an image of '
                              'COCO in all of them, and repeated by epochs')


def _find_class(cfg: Mapping[str, Any] | None, registry: Registry, default: type[Any]) -> type[Any]:
    kind = (cfg or {}).get('type')
    found: type[Any] | None = registry.get(kind) if isinstance(kind, str) else kind
    return found or default


def module_names(names: str | list[str] | None) -> list[str]:
    """Names of submodules as MMEngine takes them: one, several or none."""
    return [names] if isinstance(names, str) else list(names or [])


def check_module_names(cfg: Mapping[str, Any], model: nn.Module) -> None:
    """Raise a ``ConfigError`` that names the nearest where a config names a submodule that is not there."""
    known = [name for name, _ in model.named_modules() if name]
    for option in ('activation_checkpointing', 'efficient_conv_bn_eval'):
        for name in module_names(cfg.get(option)):
            if name not in known:
                near = nearest(name, known) or f'; it has {", ".join(child for child, _ in model.named_children())}'
                raise ConfigError(f'{option}: {type(model).__name__} has no submodule {name!r}{near}')


def checkpoint_without_reentry(model: nn.Module, names: str | list[str] | None) -> None:
    """Let the submodules that MMEngine has wrapped for activation checkpointing use PyTorch's other kind.

    MMEngine takes the reentrant kind, which gives no gradient to a module whose inputs need none, as an encoder's pixels, and
    takes no keyword arguments. This kind gives the gradients and the statistics of batch norms that there are without it.
    """
    for name in module_names(names):
        module = model.get_submodule(name)
        wrapped: Any = vars(module).get('forward')
        if wrapped is not None and not isinstance(wrapped, partial):
            contexts = partial(lambda module: (nullcontext(), _keeping_statistics(module)), module)  # of the first and second
            module.forward = partial(checkpoint, wrapped.__wrapped__, use_reentrant=False, context_fn=contexts)


@contextmanager
def _keeping_statistics(module: nn.Module) -> Iterator[None]:
    """Let batch norms count a batch once, though they see it twice."""
    norms = [norm for norm in module.modules()
             if isinstance(norm, nn.modules.batchnorm._BatchNorm) and norm.training and norm.track_running_stats]
    kept = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm, _, count in kept:
        norm.momentum, norm.num_batches_tracked = 0.0, None if count is None else count.clone()
    try:
        yield
    finally:
        for norm, momentum, count in kept:
            norm.momentum, norm.num_batches_tracked = momentum, count
