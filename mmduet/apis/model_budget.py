"""Whether a config from elsewhere asks for a model that its weights could fill, found without any memory for it."""
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from mmduet.engine.config_tools import ConfigError
from mmduet.registry import MODELS

# What a model may have beside its weights: tables that are computed, and the calls that make and fill its tensors.
_MORE_NUMBERS, _MORE_CALLS, _CALLS_EACH = 2**24, 20_000, 200


class _Counted(TorchFunctionMode):
    """Ends what calls PyTorch more than so many times."""

    def __init__(self, most: int, source: str | Path) -> None:
        super().__init__()
        self.left = most
        self.source = source

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.left -= 1
        if self.left < 0:
            raise ConfigError(f'{self.source} asks for a model of many more parts than it has weights')
        return func(*args, **(kwargs or {}))


def build_within(config: Mapping[str, Any], weights: Mapping[str, Tensor], source: str | Path) -> Any:
    """Build a model that may be about as large as its weights; ``source`` says in messages where its config is from.

    Raises:
        ConfigError: it would be larger, or nothing can be built from the config.
    """
    try:
        with torch.device('meta'), _Counted(_MORE_CALLS + _CALLS_EACH * len(weights), source):
            outline = MODELS.build(deepcopy(dict(config)))
        numbers = sum(value.numel() for value in (*outline.parameters(), *outline.buffers()))
        known = sum(value.numel() for value in weights.values())
        if numbers > 2 * known + _MORE_NUMBERS:
            raise ConfigError(f'{source} asks for a model of {numbers:,} numbers, and has weights for {known:,}')
        return MODELS.build(dict(config))
    except (TypeError, KeyError, AttributeError, IndexError, ArithmeticError, RuntimeError, RecursionError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ConfigError(f'no model can be built from the config of {source}: {first:.300}') from error
