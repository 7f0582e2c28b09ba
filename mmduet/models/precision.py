"""The precision that fits a machine: half where its processor multiplies it, float32 elsewhere."""
from typing import Literal, TypeAlias

import torch
from mmengine.logging import print_log

Precision: TypeAlias = Literal['float32', 'bfloat16', 'float16']
# Names of what lets a CPU multiply bfloat16, as PyTorch spells them: on x86, and on ARM.
CPU_BFLOAT16 = ('avx512_bf16', 'amx_bf16', 'bf16', 'sve_bf16')


def fitting_precision(device: str | torch.device) -> tuple[Precision, str]:
    """The fastest precision that is safe to train and predict in on a device, and why.

    bfloat16 where the device multiplies it natively (NVIDIA's from Ampere on; CPUs with AVX-512 BF16 or AMX, or ARM's BF16),
    else float16 on a GPU, else float32: emulated, bfloat16 takes several times as long as float32.

    >>> from mmduet.models.precision import fitting_precision
    >>> fitting_precision('cpu')[0] in ('bfloat16', 'float32')
    True
    """
    kind = torch.device(device).type
    if kind == 'cuda':
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return 'bfloat16', 'this GPU multiplies it natively'
        return 'float16', 'this GPU does not multiply bfloat16 natively'
    if kind == 'cpu':
        found = [name for name in CPU_BFLOAT16 if _cpu_capabilities().get(name)]
        if found:
            return 'bfloat16', f'this CPU multiplies it natively ({found[0]})'
        return 'float32', 'this CPU does not multiply bfloat16 natively'
    return 'float32', f'nothing tells what a device of type {kind} multiplies natively'


def _cpu_capabilities() -> dict[str, bool]:
    if hasattr(torch.cpu, 'get_capabilities'):
        return dict(torch.cpu.get_capabilities())
    # PyTorch before 2.11.
    return {'avx512_bf16': torch.cpu._is_avx512_bf16_supported(), 'amx_bf16': torch.cpu._is_amx_tile_supported()}


def choose_precision(asked: str, device: str | torch.device, whose: str) -> str:
    """What was asked; for ``'auto'`` the ``fitting_precision``, and the log says which, whose and why."""
    if asked != 'auto':
        return asked
    chosen, reason = fitting_precision(device)
    print_log(f'precision of {whose}: {chosen}, as {reason}', logger='current')
    return chosen
