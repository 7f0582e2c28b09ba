"""Optimizer: MMEngine's settings per parameter in few groups, and mixed precision on GPUs and CPUs."""
import inspect
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from logging import WARNING, Filter
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.logging import MMLogger, print_log
from mmengine.optim import AmpOptimWrapper, DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIMIZERS
from torch import nn

from mmduet.engine.config_check.custom_keys import describe_uncovered
from mmduet.engine.config_check.known import MULTIPLIERS, PARAMWISE
from mmduet.engine.config_tools import ConfigError
from mmduet.engine.mixed_precision import mixed_dtype
from mmduet.io.config_files import nearest
from mmduet.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroundingOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's constructor with a handful of parameter groups instead of one per parameter.

    Every option of ``paramwise_cfg`` means what it means there, and each parameter gets the same rate and decay: parameters
    whose settings are equal are put together. A key of ``custom_keys`` covers every parameter whose name contains it, so a
    student's keys work under the prefix ``student.`` of a distilled model too. Frozen parameters are left out, and a parameter
    that several modules share is in one group, once, as by ``bypass_duplicate``.

    Args:
        optim_wrapper_cfg: config of the wrapper with its ``optimizer``, which must state its ``lr``.
        paramwise_cfg: options of ``DefaultOptimWrapperConstructor``; unknown ones are refused. A custom key takes ``lr_mult``,
            ``decay_mult`` and what the optimizer takes.
    """

    def __init__(self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None) -> None:
        if 'lr' not in (optim_wrapper_cfg.get('optimizer') or {}):
            raise ConfigError('optim_wrapper needs an optimizer with its lr')
        super().__init__(optim_wrapper_cfg, {**(paramwise_cfg or {}), 'bypass_duplicate': True})

    def _validate_cfg(self) -> None:
        super()._validate_cfg()
        kind = self.optimizer_cfg['type']
        if (optimizer := OPTIMIZERS.get(kind) if isinstance(kind, str) else kind) is None:
            raise KeyError(f'{kind} is not in the optimizer registry')
        _refuse_unknown(self.paramwise_cfg, PARAMWISE, 'paramwise_cfg')
        known = [*MULTIPLIERS, *list(inspect.signature(optimizer).parameters)[1:]]
        for key, options in self.paramwise_cfg.get('custom_keys', {}).items():
            _refuse_unknown(options, known, f'paramwise_cfg.custom_keys[{key!r}]')

    def add_params(self, params: list[dict[str, Any]], module: nn.Module, prefix: str = '',
                   is_dcn_module: bool | None = None) -> None:
        """Add a module's parameters to ``params``, the whole model's in few groups; ``ConfigError`` if nothing is trainable."""
        if prefix:
            super().add_params(params, module, prefix, is_dcn_module)
            return
        names = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
        if not names:
            raise ConfigError(f'{type(module).__name__} has no trainable parameter')
        self._check_custom_keys(names, [name for name, _ in module.named_parameters()])
        logger, silence = MMLogger.get_current_instance(), Filter('nothing')
        logger.addFilter(silence)  # MMEngine writes lines for every parameter
        try:
            super().add_params(params, module)
        finally:
            logger.removeFilter(silence)
        params[:] = merge_equal_groups(params, {'lr': self.base_lr, 'weight_decay': self.base_wd})
        for group in params:
            size = sum(parameter.numel() for parameter in group['params']) / 1e6
            settings = ', '.join(f'{name} {value}' for name, value in group.items() if name != 'params')
            print_log(f'parameter group: {len(group["params"])} tensors, {size:.2f} M parameters, {settings}', logger='current')

    def _check_custom_keys(self, trained: Collection[str], names: Collection[str]) -> None:
        """Refuse a key that is in the name of no parameter; warn of one that covers frozen ones alone."""
        keys = self.paramwise_cfg.get('custom_keys', {})
        for sentence in describe_uncovered(keys, names).values():
            raise ConfigError(f'paramwise_cfg.custom_keys: {sentence}')
        for key in keys:
            if not any(key in name for name in trained):
                print_log(f'paramwise_cfg: no trainable parameter has {key!r} in its name', logger='current', level=WARNING)


def _refuse_unknown(options: Iterable[str], known: Sequence[str], where: str) -> None:
    for option in options:
        if option not in known:
            raise ConfigError(f'{where} does not know {option!r}{nearest(option, known)}. It takes {", ".join(known)}')


def merge_equal_groups(groups: Iterable[dict[str, Any]], base: dict[str, Any]) -> list[dict[str, Any]]:
    """Put parameters with equal settings, those of ``base`` by default, into one group; the highest rate and decay first."""
    merged: dict[str, dict[str, Any]] = {}
    for group in groups:
        settings = {name: value for name, value in {**base, **group}.items()
                    if name not in (*MULTIPLIERS, 'params') and value is not None}
        merged.setdefault(repr(sorted(settings.items())), {'params': [], **settings})['params'].extend(group['params'])
    return sorted(merged.values(), key=lambda group: (-group['lr'], -group.get('weight_decay', 0)))


@OPTIM_WRAPPERS.register_module()
class MixedPrecisionOptimWrapper(AmpOptimWrapper):
    """MMEngine's training under autocast, with loss scaling for float16, on a CPU too (bfloat16), which MMEngine's refuses.

    Args:
        optimizer, accumulative_counts, clip_grad: see ``OptimWrapper``.
        dtype: ``'bf16'``, ``'fp16'`` on a CUDA device, or ``'auto'`` for what fits it (see ``fitting_precision``), which
            may be full precision.
        device: where the model is; MMEngine's choice where not given.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, dtype: str = 'bf16', accumulative_counts: int = 1,
                 clip_grad: dict[str, Any] | None = None, device: str | None = None) -> None:
        OptimWrapper.__init__(self, optimizer, accumulative_counts, clip_grad)  # AmpOptimWrapper's own wants an accelerator
        self._device = device or get_device()
        self.cast_dtype = mixed_dtype(dtype, self._device, 'training')
        self.loss_scaler = torch.amp.GradScaler(self._device, enabled=self.cast_dtype == torch.float16)
        self._scale_update_param = None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state of ``state_dict``; a checkpoint of a run without float16 has none for the scaler."""
        super().load_state_dict({key: value for key, value in state_dict.items() if value or key != 'loss_scaler'})

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run the forward pass under autocast."""
        mixed = self.cast_dtype != torch.float32
        with OptimWrapper.optim_context(self, model), torch.autocast(self._device, self.cast_dtype if mixed else None, mixed):
            yield
