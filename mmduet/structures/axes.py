"""Checking that the tensors of a dataclass have the axes they promise."""
from collections.abc import Mapping
from typing import Any

import torch

Axes = tuple[str | int, ...]


def check_axes(instance: Any, axes: Mapping[str, Axes], booleans: tuple[str, ...] = ()) -> None:
    """Check that every tensor of a dataclass has its axes, and that an axis is as long in one tensor as in another.

    Args:
        axes: by field, in the order to check: a name for an axis of any length, a number for one of that length. A field that
            is None is passed over.
        booleans: fields that must be bool.

    Raises:
        ValueError: names class, field and axis.
    """
    kind = type(instance).__name__
    lengths: dict[str, tuple[int, str]] = {}
    for field, names in axes.items():
        value = getattr(instance, field)
        if value is None:
            continue
        shape, wanted = tuple(value.shape), f'({", ".join(str(name) for name in names)}{"," if len(names) == 1 else ""})'
        if len(shape) != len(names):
            raise ValueError(f'{kind}.{field} must be {wanted}, got {shape}')
        for name, length in zip(names, shape, strict=True):
            expected, where = (name, '') if isinstance(name, int) else lengths.setdefault(name, (length, field))
            if length != expected:
                known = f' with {name} = {expected} as in {where}' if where else ''
                raise ValueError(f'{kind}.{field} must be {wanted}{known}, got {shape}')
    for field in booleans:
        value = getattr(instance, field)
        if value is not None and value.dtype != torch.bool:
            raise ValueError(f'{kind}.{field} must be bool, got {value.dtype}')
