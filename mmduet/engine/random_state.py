"""The random state of a process, as plain values that a checkpoint can hold."""
import random
from typing import Any

import numpy as np
import torch


def part_ranks(seed: int, rank: int) -> None:
    """Seed the generators of all ranks but the first by ``seed + rank``, so that a dropout mask is not the same on all of them.

    The first keeps its state: alone, it trains as ever. To be called when the weights are there, which need one seed where they
    are random and not broadcast, as a teacher's.
    """
    if rank:
        random.seed(seed + rank)
        np.random.seed((seed + rank) % 2**32)
        torch.manual_seed(seed + rank)


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
