"""What is noted while a run of a study trains."""
import time
from collections.abc import Callable, Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from projects.ablation.fingerprint import hash_bytes, hash_state

# Batches whose expressions are noted; enough to tell two orders apart.
NOTED_BATCHES = 16
CURVE_METRICS = ('acc@0.5', 'acc@0.75', 'miou')


def student_of(model: nn.Module) -> nn.Module:
    """The student of a distilled model; any other model itself."""
    student: nn.Module = getattr(model, 'student', model)
    return student


class RunHook(Hook):
    """Note the student's initial weights, the order of the data, the curve over training and the time of a step.

    Args:
        evaluate: metrics of a student at this moment, in percent; it may change the mode of the student.
        points: how often during training, evenly; the end is not among them.
    """

    priority = 'LOWEST'

    def __init__(self, evaluate: Callable[[Any], Mapping[str, Any]], points: int) -> None:
        self._evaluate = evaluate
        self._points = points
        self._student_hash = ''
        self._order: list[str] = []
        self._curve: list[list[float]] = []
        self._steps = 0
        self._began = self._ended = self._apart = 0.0

    def before_train(self, runner: Runner) -> None:
        """Weights are initialised and loaded by now."""
        self._student_hash = hash_state(student_of(runner.model).state_dict())
        self._began = time.process_time()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Note the batch; evaluate where a point of the curve is due."""
        self._steps += 1
        if len(self._order) < NOTED_BATCHES and data_batch is not None:
            seen = [f'{sample.expression_id} {sample.text} {sample.flip}' for sample in data_batch['data_samples']]
            self._order.append(hash_bytes('\n'.join(seen).encode()))
        due = [round(point * runner.max_iters / (self._points + 1)) for point in range(1, self._points + 1)]
        if runner.iter + 1 in due and runner.iter + 1 < runner.max_iters:
            began = time.process_time()
            student = student_of(runner.model)
            metrics = self._evaluate(student)
            runner.model.train()
            self._curve.append([runner.iter + 1, *(metrics[name] for name in CURVE_METRICS)])
            self._apart += time.process_time() - began
        self._ended = time.process_time()

    def record(self) -> dict[str, Any]:
        """The fields of the run's record."""
        step_ms = 1000 * (self._ended - self._began - self._apart) / max(self._steps, 1)
        return {'student_hash': self._student_hash, 'order': self._order, 'step_cpu_ms': round(step_ms, 1),
                'curve': self._curve}
