"""Whether two trainings ended alike: everything that decides how they would go on, bit for bit."""
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from mmduet.engine.checkpoint import read_record, resume_candidates

COMPARED = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers', 'random_states', 'hooks', 'gradients')


def differences(first: Any, second: Any, where: str = '') -> Iterator[str]:
    """Names of the leaves in which two nested containers differ."""
    if isinstance(first, torch.Tensor):
        if not (isinstance(second, torch.Tensor) and first.dtype == second.dtype and torch.equal(first, second)):
            yield where
    elif isinstance(first, Mapping) and isinstance(second, Mapping):
        for key in {**first, **second}:
            if key in first and key in second:
                yield from differences(first[key], second[key], f'{where}.{key}')
            else:
                yield f'{where}.{key}'
    elif isinstance(first, list | tuple) and isinstance(second, list | tuple) and len(first) == len(second):
        for number, (one, other) in enumerate(zip(first, second, strict=True)):
            yield from differences(one, other, f'{where}.{number}')
    elif first != second:
        yield where


def end_of(work: Path) -> dict[str, Any]:
    """What a finished training left: its last checkpoint, what the best one is and holds."""
    last = resume_candidates(work)[0]
    record = read_record(work) or {}
    best = record.get('best')
    saved = torch.load(last, weights_only=True)
    return {'name': last.name, 'best': best, 'validated': record.get('validated'),
            'best_state_dict': torch.load(work / best['file'], weights_only=True)['state_dict'] if best else None,
            **{key: saved.get(key) for key in COMPARED}}
