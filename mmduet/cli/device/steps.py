"""Making and timing training steps and predictions."""
import copy
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import TYPE_CHECKING, Any

import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, DefaultScope
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mmduet.cli.benchmark_groups import load_groups
from mmduet.cli.clock import peak_memory
from mmduet.cli.device.rows import TRAINING, Row
from mmduet.models.compiling import compile_grounder
from mmduet.models.cuda_graphs import GraphedStudent
from mmduet.models.distill import student_of
from mmduet.models.folding import fold_frozen_norms, keep_products

if TYPE_CHECKING:
    from mmengine.config import Config

WARM_UPS, ROUNDS, BATCHES = 3, 3, 2
Batch = dict[str, Any]


class Bench:
    """A model, its data and how to time them on a device.

    Args:
        model: as it is built; every row works on a copy.
        cfg: of the run, whose ``optim_wrapper`` and ``compile`` are taken.
        device: ``'cuda'`` or ``'cpu'``.
        steps: of each of ``ROUNDS`` rounds, whose median counts.
    """

    def __init__(self, model: nn.Module, cfg: 'Config', device: str, steps: int) -> None:
        # Copies of a distilled model share its teachers, which must be there before.
        self.model, self.cfg, self.device, self.steps = model.to(device), cfg, device, steps
        with DefaultScope.overwrite_default_scope('mmduet'):
            self.dataset = DATASETS.build(cfg.train_dataloader.dataset)
        self._batches: dict[tuple[int, int], list[Batch]] = {}
        self._flops: dict[tuple[str, int, int], int] = {}

    def batches(self, size: int, k: int, pinned: bool = False) -> list[Batch]:
        """Decoded and collated batches of ``size`` expressions, up to k about an image."""
        if (size, k) not in self._batches:
            drawn = load_groups(self.dataset, size, k)
            self._batches[size, k] = [next(drawn) for _ in range(BATCHES)]
        made = self._batches[size, k]
        if not pinned:
            return made
        return [{**batch, 'inputs': batch['inputs'].pin_memory()} for batch in made]

    @contextmanager
    def trainer(self, amp: str | None = 'as configured', way: str = 'folded') -> Iterator[tuple[Any, Any]]:
        """A copy of the model on the device, with its optimizer; ``amp`` is a precision, None for float32."""
        wrapper = copy.deepcopy(self.cfg.optim_wrapper)
        if amp != 'as configured':
            wrapper.update(type='OptimWrapper' if amp is None else 'mmduet.MixedPrecisionOptimWrapper')
            wrapper.pop('dtype', None)
            if amp is not None:
                wrapper['dtype'] = amp
        self._free()
        model: Any = copy.deepcopy(self.model)
        try:
            if way not in ('eager', 'pinned'):
                fold_frozen_norms(student_of(model))
            if way == 'compiled':
                options = self.cfg.get('compile')
                compile_grounder(model, **(options if isinstance(options, dict) else {}))
            with DefaultScope.overwrite_default_scope('mmduet'):
                yield model, build_optim_wrapper(model, wrapper)
        finally:
            del model
            self._free()

    def measure(self, row: Row) -> dict[str, Any]:
        """Figures of a row."""
        batches = cycle(self.batches(row.batch_size, row.expressions_per_image, row.way not in ('eager', 'graphs')
                                     and self.device == 'cuda'))
        with self.trainer(way=row.way) as (model, optim):
            train = row.work == TRAINING
            do = (lambda: train_step(model, optim, next(batches))) if train else self._predictor(model, optim, row, batches)
            key = row.work, row.batch_size, row.expressions_per_image
            if key not in self._flops and row.way not in ('compiled', 'graphs'):  # in which nothing can be counted
                with FlopCounterMode(display=False) as counter:
                    do()
                self._flops[key] = counter.get_total_flops()
            if self.device == 'cuda':
                torch.cuda.reset_peak_memory_stats()
            seconds = self.time(do)
            peak = torch.cuda.max_memory_allocated() if self.device == 'cuda' else peak_memory()
        flops = self._flops.get(key)
        return {'seconds': seconds, 'expressions_per_second': row.batch_size / seconds, 'flops': flops,
                'flops_per_second': None if flops is None else flops / seconds,
                'peak_memory_gb': None if peak is None else peak / 1e9}

    def time(self, do: Callable[[], Any]) -> float:
        """Seconds of a step: the processor runs ahead within a round, as in training, and waits at its end."""
        for _ in range(WARM_UPS):
            do()
        rounds = []
        for _ in range(ROUNDS):
            self.wait()
            start = time.perf_counter()
            for _ in range(self.steps):
                do()
            self.wait()
            rounds.append((time.perf_counter() - start) / self.steps)
        return statistics.median(rounds)

    def _free(self) -> None:
        """Give back what the row before held."""
        gc.collect()
        if self.device == 'cuda':
            torch.cuda.empty_cache()

    def wait(self) -> None:
        """Until the device has done what it was told."""
        if self.device == 'cuda':
            torch.cuda.synchronize()

    def _predictor(self, model: Any, optim: Any, row: Row, batches: Iterator[Batch]) -> Callable[[], Any]:
        student: Any = student_of(model).eval()
        keep_products(student)
        graphed = GraphedStudent(student) if row.way == 'graphs' else None

        def predict() -> Any:
            with torch.inference_mode(), optim.optim_context(student):
                batch = student.data_preprocessor(next(batches))['batch']
                if graphed is None:
                    return student(batch, 'predict')
                return student.predict(graphed.extract(batch), batch)

        return predict


def train_step(model: Any, optim: Any, batch: Batch) -> Tensor:
    """A training step, as MMEngine's models take it; the loss, on the device."""
    model.train()
    with optim.optim_context(model):
        losses = model(**model.data_preprocessor(batch, True), mode='loss')
        loss: Tensor = sum(value for name, value in losses.items() if 'loss' in name)
    optim.update_params(loss)
    return loss.detach()
