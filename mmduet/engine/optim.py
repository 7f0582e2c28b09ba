"""Optimizer: parameter groups by name, merged where equal, and mixed precision on GPUs and CPUs."""
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS as ROOT_OPTIM_WRAPPERS
from mmengine.registry import OPTIMIZERS
from torch import Tensor, nn

from mmduet.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS

PARAMWISE_KEYS = ('custom_keys', 'norm_decay_mult', 'bias_decay_mult')
MULTIPLIERS = ('lr_mult', 'decay_mult')
DTYPES = {'bf16': torch.bfloat16, 'bfloat16': torch.bfloat16, 'fp16': torch.float16, 'float16': torch.float16}
_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroundingOptimWrapperConstructor:
    """Build an optimizer whose parameters are grouped by learning rate and decay: a handful of groups, not hundreds.

    A key of ``custom_keys`` covers every parameter whose name contains it; the longest key wins, as in MMEngine, so a
    student's keys still work under the prefix ``student.`` of a distilled model. Frozen parameters are left out.

    Args:
        optim_wrapper_cfg: config of the wrapper with its ``optimizer``.
        paramwise_cfg: ``custom_keys`` (name part to ``lr_mult`` and ``decay_mult``), ``norm_decay_mult`` for the parameters of
            normalisation layers, ``bias_decay_mult`` for other biases; custom keys outrank the two.

    Raises:
        ValueError: an unknown option, or an optimizer without a learning rate.
    """

    def __init__(self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None) -> None:
        self._wrapper = dict(optim_wrapper_cfg)
        if 'optimizer' not in self._wrapper or 'lr' not in self._wrapper['optimizer']:
            raise ValueError('optim_wrapper needs an optimizer with its lr')
        self._optimizer = dict(self._wrapper.pop('optimizer'))
        options = dict(paramwise_cfg or {})
        unknown = [key for key in options if key not in PARAMWISE_KEYS]
        self._custom = {key: dict(value) for key, value in options.get('custom_keys', {}).items()}
        unknown += [f'{key}.{name}' for key, value in self._custom.items() for name in value if name not in MULTIPLIERS]
        if unknown:
            raise ValueError(f'paramwise_cfg does not know {", ".join(unknown)}; it knows {", ".join(PARAMWISE_KEYS)}, and for '
                             f'a custom key {" and ".join(MULTIPLIERS)}')
        self._norm_decay = float(options.get('norm_decay_mult', 1))
        self._bias_decay = float(options.get('bias_decay_mult', 1))

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer wrapper for the trainable parameters of ``model``.

        Raises:
            ValueError: nothing is trainable.
        """
        plain: Any = model.module if is_model_wrapper(model) else model
        optimizer = dict(self._optimizer)
        kind = optimizer['type']
        optimizer_class = OPTIMIZERS.get(kind) if isinstance(kind, str) else kind
        if optimizer_class is None:
            raise KeyError(f'{kind} is not in the optimizer registry')
        first_argument = next(iter(inspect.signature(optimizer_class).parameters))
        optimizer[first_argument] = self.groups(plain)
        self._wrapper.setdefault('type', OptimWrapper)
        return ROOT_OPTIM_WRAPPERS.build(self._wrapper, default_args={'optimizer': OPTIMIZERS.build(optimizer)})

    def groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """Parameter groups, those with the base learning rate first; each parameter once."""
        base_lr, base_decay = self._optimizer['lr'], self._optimizer.get('weight_decay')
        found: dict[tuple[float, float], list[nn.Parameter]] = {}
        seen: set[int] = set()
        used: set[str] = set()
        for name, parameter, module in named_parameters_with_module(model):
            if not parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            key = next((key for key in sorted(self._custom, key=lambda key: (-len(key), key)) if key in name), None)
            used.update([key] if key else [])
            found.setdefault(self._multipliers(key, name, module), []).append(parameter)
        if not found:
            raise ValueError(f'{type(model).__name__} has no trainable parameter')
        for key in self._custom.keys() - used:
            print_log(f'paramwise_cfg: no trainable parameter has {key!r} in its name', logger='current')
        groups = []
        for (lr_mult, decay_mult), parameters in sorted(found.items(), key=lambda item: (-item[0][0], -item[0][1])):
            group: dict[str, Any] = {'params': parameters, 'lr': base_lr * lr_mult}
            if base_decay is not None:
                group['weight_decay'] = base_decay * decay_mult
            groups.append(group)
            size = sum(parameter.numel() for parameter in parameters) / 1e6
            print_log(f'parameter group: {len(parameters)} tensors, {size:.2f} M parameters, lr {group["lr"]:g}, '
                      f'weight decay {group.get("weight_decay")}', logger='current')
        return groups

    def _multipliers(self, key: str | None, name: str, module: nn.Module) -> tuple[float, float]:
        if key is not None:
            return float(self._custom[key].get('lr_mult', 1)), float(self._custom[key].get('decay_mult', 1))
        if isinstance(module, _NORMS):
            return 1.0, self._norm_decay
        return 1.0, self._bias_decay if name.endswith('bias') else 1.0


def named_parameters_with_module(model: nn.Module) -> Iterator[tuple[str, nn.Parameter, nn.Module]]:
    """Full name, parameter and the module that owns it, in the order of the modules."""
    for prefix, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            yield f'{prefix}.{name}' if prefix else name, parameter, module


@OPTIM_WRAPPERS.register_module()
class MixedPrecisionOptimWrapper(OptimWrapper):
    """Train under autocast, on a CPU too (bfloat16), with loss scaling for float16. MMEngine's wrapper refuses CPUs.

    Args:
        optimizer: the optimizer.
        dtype: ``'bf16'`` or ``'fp16'``.
        accumulative_counts: steps whose gradients are summed before an update.
        clip_grad: arguments of ``torch.nn.utils.clip_grad_norm_``.
        device: where the model is; MMEngine's choice where not given.

    Raises:
        ValueError: another type, or float16 without a CUDA device.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, dtype: str = 'bf16', accumulative_counts: int = 1,
                 clip_grad: dict[str, Any] | None = None, device: str | None = None) -> None:
        super().__init__(optimizer, accumulative_counts, clip_grad)
        self._device = device or get_device()
        if dtype not in DTYPES:
            raise ValueError(f"mixed precision knows 'bf16' and 'fp16', got {dtype!r}")
        self._dtype = DTYPES[dtype]
        if self._dtype == torch.float16 and self._device != 'cuda':
            raise ValueError(f'fp16 needs a CUDA device, and training runs on {self._device}: use bf16')
        self._scaler = torch.amp.GradScaler(self._device, enabled=self._dtype == torch.float16)

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Backpropagate the scaled loss."""
        self._scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        """Update, unless the scaled gradients overflowed."""
        if self.clip_grad_kwargs:
            self._scaler.unscale_(self.optimizer)
            self._clip_grad()
        self._scaler.step(self.optimizer, **kwargs)
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """State of the optimizer and of the scaler."""
        return {**super().state_dict(), 'loss_scaler': self._scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state of ``state_dict``; a checkpoint of a full-precision run has none for the scaler."""
        state = dict(state_dict)
        scaler = state.pop('loss_scaler', None)
        if scaler:
            self._scaler.load_state_dict(scaler)
        super().load_state_dict(state)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run the forward pass under autocast."""
        with super().optim_context(model), torch.autocast(self._device, self._dtype):
            yield
