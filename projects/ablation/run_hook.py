"""What is noted while a run of a study trains."""
import time
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from projects.ablation.fingerprint import hash_bytes, hash_state

# Batches whose expressions are noted; enough to tell two orders apart.
NOTED_BATCHES = 4


def student_of(model: nn.Module) -> nn.Module:
    """The student of a distilled model; any other model itself."""
    student: nn.Module = getattr(model, 'student', model)
    return student


class RunHook(Hook):
    """Note the student's initial weights, the order of the data and the time of a step."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._student_hash = ''
        self._order: list[str] = []
        self._steps = 0
        self._began = self._ended = 0.0

    def before_train(self, runner: Runner) -> None:
        """Weights are initialised and loaded by now."""
        self._student_hash = hash_state(student_of(runner.model).state_dict())
        self._began = time.process_time()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Note the batch."""
        self._steps += 1
        if len(self._order) < NOTED_BATCHES and data_batch is not None:
            seen = [f'{sample.expression_id} {sample.text} {sample.flip}' for sample in data_batch['data_samples']]
            self._order.append(hash_bytes('\n'.join(seen).encode()))
        self._ended = time.process_time()

    def record(self) -> dict[str, Any]:
        """The fields of the run's record."""
        step_ms = 1000 * (self._ended - self._began) / max(self._steps, 1)
        return {'student_hash': self._student_hash, 'order': self._order, 'step_cpu_ms': round(step_ms, 1)}
