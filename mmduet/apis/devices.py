"""The device that a model predicts on, by the name that a user gives it."""
import torch
from mmengine.device import get_device

from mmduet.engine.config_tools import ConfigError


def find_device(name: str | torch.device) -> torch.device:
    """The device of a name, ``'auto'`` for the best that is there.

    Raises:
        ConfigError: there is no such device here; names those that are.
    """
    try:
        device = torch.device(get_device() if name == 'auto' else name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        here = ['cpu', *(f'cuda:{number}' for number in range(torch.cuda.device_count()))]
        here += ['mps'] if torch.backends.mps.is_available() else []
        raise ConfigError(f'there is no device {str(name)!r} here, only {", ".join(here)} '
                          f'({str(error).strip().splitlines()[0]:.100})') from error
    if device.type == 'meta':
        raise ConfigError("the device 'meta' holds no numbers, and predicts nothing")
    return device
