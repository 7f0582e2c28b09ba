"""Mixed precision by a name, as ``--amp`` takes it, and the loop that tests in it."""
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner, TestLoop
from torch.utils.data import DataLoader

from mmduet.engine.config_tools import ConfigError
from mmduet.models.precision import choose_precision
from mmduet.registry import LOOPS

DTYPES = {'bf16': torch.bfloat16, 'bfloat16': torch.bfloat16, 'fp16': torch.float16, 'float16': torch.float16,
          'float32': torch.float32}


def mixed_dtype(asked: str, device: str, whose: str) -> torch.dtype:
    """The type that autocast computes in: float32 where ``'auto'`` finds no other that fits the device.

    Args:
        asked: ``'bf16'``, ``'fp16'`` or ``'auto'``.
        device: such as ``'cpu'``.
        whose: of what, in the log and in messages.

    Raises:
        ConfigError: another name, or one that the device cannot compute in.

    >>> mixed_dtype('bf16', 'cpu', 'the test')
    torch.bfloat16
    """
    chosen = choose_precision(asked, device, whose)
    if chosen not in DTYPES:
        raise ConfigError(f"mixed precision knows 'auto', 'bf16' and 'fp16', got {asked!r}")
    if DTYPES[chosen] == torch.float16 and device != 'cuda':
        raise ConfigError(f'fp16 needs a CUDA device, and {whose} runs on {device}: use bf16')
    return DTYPES[chosen]


@LOOPS.register_module()
class MixedPrecisionTestLoop(TestLoop):
    """MMEngine's loop of tests under autocast in a precision of one's choice; MMEngine's ``fp16`` is what the device has.

    Args:
        runner, dataloader, evaluator: see ``TestLoop``.
        dtype: see ``mixed_dtype``.
    """

    def __init__(self, runner: Runner, dataloader: DataLoader[Any] | dict[str, Any],
                 evaluator: Evaluator | dict[str, Any] | list[Any], dtype: str = 'bf16') -> None:
        self._device = get_device()
        self.cast_dtype = mixed_dtype(dtype, self._device, 'the test')
        super().__init__(runner, dataloader, evaluator, fp16=self.cast_dtype != torch.float32)

    def run_iter(self, idx: int, data_batch: Sequence[dict[str, Any]]) -> None:
        """See ``TestLoop.run_iter``, whose own autocast takes the type of the one around it."""
        with torch.autocast(self._device, self.cast_dtype if self.fp16 else None, self.fp16):
            super().run_iter(idx, data_batch)
