"""The random state of a process, as plain values that a checkpoint can hold."""
import random
from typing import Any

import numpy as np
import torch


def get_random_state() -> dict[str, Any]:
    """State of Python's, NumPy's and PyTorch's generators (and CUDA's, where a device is used) as lists and tensors."""
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        'torch': torch.get_rng_state(), 'python': {'version': version, 'words': list(words), 'gauss': gauss},
        'numpy': {'name': str(name), 'keys': torch.from_numpy(np.asarray(keys).astype(np.int64)), 'position': int(position),
                  'has_gauss': int(has_gauss), 'cached': float(cached)}}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put the generators into a state of ``get_random_state``."""
    python, numpy = state['python'], state['numpy']
    random.setstate((python['version'], tuple(python['words']), python['gauss']))
    np.random.set_state((numpy['name'], numpy['keys'].cpu().numpy().astype(np.uint32), numpy['position'],
                         numpy['has_gauss'], numpy['cached']))
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())
