"""Names of weights without those of what was wrapped around a model when it was saved."""
from collections.abc import Iterable, Mapping
from typing import TypeVar

from mmduet.io.errors import DataError

Value = TypeVar('Value')
# What no module calls a part of its own: compiled, sharded and re-computed modules.
_ANYWHERE = frozenset({'_orig_mod', '_fsdp_wrapped_module', '_checkpoint_wrapped_module', '_forward_module'})
# Before any key: DistributedDataParallel, AveragedModel.
_FIRST = 'module'
_COUNTERS = frozenset({'n_averaged', 'steps'})
# Before all keys, or none: a trainer's or an average's attribute.
_BEFORE_ALL = ('model', 'net', 'network', 'ema', 'ema_model', 'model_ema', 'averaged_model')


def unwrap_keys(weights: Mapping[str, Value], own: Iterable[str] = ()) -> dict[str, Value]:
    """A state dict whose keys are those of the model itself, in whatever order its wrappers were put around it.

    Args:
        weights: values by key.
        own: keys of the model that they are for, whose own first names stay; empty where it is not known.

    Raises:
        DataError: two keys would be one; names them.

    >>> unwrap_keys({'module._orig_mod.proj.weight': 1, 'module._orig_mod.module.bias': 2})
    {'proj.weight': 1, 'bias': 2}
    """
    kept = {key.split('.')[0] for key in own}
    keys = {key: [part for part in key.split('.') if part not in _ANYWHERE] for key in weights}
    changed = True
    while changed:
        changed = False
        for parts in keys.values():
            if parts[0] == _FIRST and len(parts) > 1 and _FIRST not in kept:
                del parts[0]
                changed = True
        first = {parts[0] for parts in keys.values()}
        if len(first) == 1 and first <= set(_BEFORE_ALL) - kept and all(len(parts) > 1 for parts in keys.values()):
            for parts in keys.values():
                del parts[0]
            changed = True
    names = {key: '.'.join(parts) for key, parts in keys.items()}
    # Averages that the older MMCV keeps beside the weights, and counters of an average.
    shadows = {f'ema_{name.replace(".", "_")}' for name in names.values()}
    averaged = any(key.startswith(f'{_FIRST}.') for key in weights)
    names = {key: name for key, name in names.items() if name not in shadows and not (averaged and name in _COUNTERS)}
    result: dict[str, Value] = {}
    origin: dict[str, str] = {}
    for key, name in names.items():
        if name in result:
            raise DataError(f'the weights {origin[name]} and {key} are both those of {name}')
        result[name], origin[name] = weights[key], key
    return result
