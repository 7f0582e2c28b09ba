"""What the config of a run says of the device: which precision its float32 has, what is folded and what is compiled."""
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.device import get_device
from torch import nn

from mmduet.engine.config_tools import ConfigError
from mmduet.models.compiling import compile_grounder
from mmduet.models.cpu import optimise_for_cpu
from mmduet.models.distill import student_of
from mmduet.models.folding import fold_frozen_norms


def set_tf32(wanted: bool | None) -> str:
    """Let float32 products of matrices and convolutions on a GPU keep 10 bits of 23, or not; say what holds now.

    Ampere and later multiply such numbers several times as fast. PyTorch allows it for convolutions and not for matrices, which
    None leaves as it is. A CPU computes as ever.

    Raises:
        ConfigError: neither True, False nor None.

    >>> from mmduet.engine.device_setup import set_tf32
    >>> set_tf32(None)
    'TF32 on the GPU: convolutions yes, products of matrices no'
    """
    if wanted not in (True, False, None):
        raise ConfigError(f'env_cfg.tf32 must be True, False or None, got {wanted!r}')
    if wanted is not None:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = wanted
    said = ['yes' if allowed else 'no' for allowed in (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)]
    return 'TF32 on the GPU: convolutions {}, products of matrices {}'.format(*said)


def fit_to_device(cfg: Mapping[str, Any], model: nn.Module) -> list[str]:
    """Make the student of a built model fast where it runs, in place; sentences for the log.

    On a CPU it is optimised (``optimise_for_cpu``, unless it is compiled), on a GPU its frozen norms are folded
    (``fold_frozen_norms``); the keys of the config by these names say otherwise. ``env_cfg.tf32`` is that of ``set_tf32``.
    """
    cpu, wanted = get_device() == 'cpu', (cfg.get('env_cfg') or {}).get('tf32')
    said = [] if cpu and wanted is None else [set_tf32(wanted)]
    # A teacher stays as it is: in which order it adds up should not depend on the machine.
    if cpu:
        if cfg.get('optimise_for_cpu', not cfg.get('compile')):
            optimise_for_cpu(student_of(model))
    elif cfg.get('fold_frozen_norms', True):
        said.append(f'{fold_frozen_norms(student_of(model))} frozen batch norms are computed by the convolutions before them.')
    return said


def compile_model(options: Any, model: nn.Module) -> list[str]:
    """Compile a model as ``compile`` of a config says, True or options of ``torch.compile``; sentences for the log."""
    if options is None or options is False:
        return []
    parts = compile_grounder(model, **({} if options is True else options))
    return [f'Compiled at the first call for each length of text: {", ".join(type(part).__name__ for part in parts)}.']
