"""MMEngine's options that cannot work here, refused in a sentence, and activation checkpointing that keeps every gradient."""
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from difflib import get_close_matches
from functools import partial
from typing import Any

from mmengine.model import MMDistributedDataParallel, MMSeparateDistributedDataParallel
from mmengine.optim import AmpOptimWrapper, ApexOptimWrapper, OptimWrapper, ZeroRedundancyOptimizer
from mmengine.registry import MODEL_WRAPPERS, OPTIM_WRAPPERS, OPTIMIZERS, Registry
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.utils.checkpoint import checkpoint

from mmduet.compat import install_operator_stand_in
from mmduet.engine.config_tools import ConfigError

_NAMES_OF_MODULES = ('activation_checkpointing', 'efficient_conv_bn_eval')


def refuse_options(cfg: Mapping[str, Any], cuda: bool) -> None:
    """Refuse what a config asks of MMEngine and cannot have.

    Args:
        cfg: config of a runner.
        cuda: whether there is a CUDA device.

    Raises:
        ConfigError: says which option and why.
    """
    _refuse_wrapper(cfg.get('model_wrapper_cfg') or {})
    _refuse_sync_bn(cfg.get('sync_bn'), cuda)
    wrapper = cfg.get('optim_wrapper')
    if isinstance(wrapper, Mapping):
        _refuse_optimizer(wrapper, cuda)
    hook = (cfg.get('default_hooks') or {}).get('checkpoint')
    if isinstance(hook, Mapping) and (hook.get('backend_args') or hook.get('file_client_args')):
        raise ConfigError('default_hooks.checkpoint: checkpoints are replaced in one step, which only local folders can: leave '
                          'backend_args and file_client_args out')


def _refuse_optimizer(wrapper: Mapping[str, Any], cuda: bool) -> None:
    kind = _find_class(wrapper, OPTIM_WRAPPERS) or OptimWrapper
    optimizer = _find_class(wrapper.get('optimizer') or {}, OPTIMIZERS) or Optimizer
    if issubclass(kind, ApexOptimWrapper):
        raise ConfigError('optim_wrapper: ApexOptimWrapper needs NVIDIA Apex, whose mixed precision is in PyTorch now: use '
                          'mmduet.MixedPrecisionOptimWrapper')
    if issubclass(kind, AmpOptimWrapper) and not cuda:
        raise ConfigError('optim_wrapper: AmpOptimWrapper works on accelerators only, and there is none: use '
                          "mmduet.MixedPrecisionOptimWrapper with dtype='bf16'")
    if issubclass(optimizer, ZeroRedundancyOptimizer):
        raise ConfigError('optim_wrapper.optimizer: ZeroRedundancyOptimizer keeps a part of its state in each process, and '
                          'checkpoints hold the whole: use the optimizer itself')


def _refuse_wrapper(wrapper: Mapping[str, Any]) -> None:
    kind = _find_class(wrapper, MODEL_WRAPPERS) or MMDistributedDataParallel
    if not issubclass(kind, DistributedDataParallel):
        raise ConfigError(f'model_wrapper_cfg: {kind.__name__} does not keep the whole model in every process, as checkpoints '
                          'need it: use MMDistributedDataParallel')
    if issubclass(kind, MMSeparateDistributedDataParallel):
        raise ConfigError(f'model_wrapper_cfg: {kind.__name__} wraps each part of a model for an optimizer of its own, and a '
                          'grounder has one optimizer: use MMDistributedDataParallel')


def _refuse_sync_bn(kind: str | None, cuda: bool) -> None:
    if kind is None:
        return
    if not cuda:
        raise ConfigError('sync_bn: PyTorch has synchronised batch norm for CUDA devices only, and there is none')
    if kind == 'mmcv' and install_operator_stand_in():
        raise ConfigError("sync_bn='mmcv' needs MMCV's compiled operators, which are not installed: use sync_bn='torch'")


def _find_class(cfg: Mapping[str, Any], registry: Registry) -> type[Any] | None:
    kind = cfg.get('type')
    found: type[Any] | None = registry.get(kind) if isinstance(kind, str) else kind
    return found


def module_names(names: str | list[str] | None) -> list[str]:
    """Names of submodules as MMEngine takes them: one, several or none."""
    return [names] if isinstance(names, str) else list(names or [])


def check_module_names(cfg: Mapping[str, Any], model: nn.Module) -> None:
    """See that the submodules that a config names are there.

    Raises:
        ConfigError: one is not; names the nearest.
    """
    known = [name for name, _ in model.named_modules() if name]
    for option in _NAMES_OF_MODULES:
        for name in module_names(cfg.get(option)):
            if name not in known:
                near = get_close_matches(name, known, n=3) or [child for child, _ in model.named_children()]
                raise ConfigError(f'{option}: {type(model).__name__} has no submodule {name!r}, but {", ".join(near)}')


def checkpoint_without_reentry(model: nn.Module, names: str | list[str] | None) -> None:
    """Let the submodules that MMEngine has wrapped for activation checkpointing use PyTorch's other kind.

    MMEngine takes the reentrant kind, which gives no gradient at all to a module whose inputs need none, as an encoder's
    pixels, and takes no keyword arguments. This kind gives the gradients that the module has without it, dropout included, and
    batch norms the same statistics.
    Modules that are not wrapped stay as they are.
    """
    for name in module_names(names):
        module = model.get_submodule(name)
        wrapped: Any = vars(module).get('forward')
        if wrapped is not None and not isinstance(wrapped, partial):
            module.forward = partial(checkpoint, wrapped.__wrapped__, use_reentrant=False,
                                     context_fn=partial(_contexts, module))


def _contexts(module: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Surroundings of a module's forward and of its second one, for the gradient."""
    return nullcontext(), _keeping_statistics(module)


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
