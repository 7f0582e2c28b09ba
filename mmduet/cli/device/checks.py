"""What a card must do right before its speed counts: precisions, loss scaling, a process group; and where its time goes."""
import tempfile
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.profiler import ProfilerActivity, profile

from mmduet.cli.device.steps import Bench, train_step

LOSS_STEPS, GROUP_STEPS, PROFILED, SHOWN = 20, 3, 2, 10


def losses_of(bench: Bench, amp: str | None, size: int, k: int, steps: int | None = None) -> tuple[list[float], float]:
    """Losses of the first steps of a training in a precision, always from the same weights and draws; and their factor then."""
    torch.manual_seed(0)
    with bench.trainer(amp) as (model, optim):
        losses = [train_step(model, optim, batch) for batch in islice(cycle(bench.batches(size, k)), steps or LOSS_STEPS)]
        scaler = getattr(optim, 'loss_scaler', None)
        return torch.stack(losses).float().tolist(), 1.0 if scaler is None else scaler.get_scale()


def compare_precisions(bench: Bench, size: int, k: int) -> dict[str, Any]:
    """Losses in float32 and bfloat16, and how far they are apart at most, as a share."""
    exact, half = (losses_of(bench, amp, size, k)[0] for amp in (None, 'bf16'))
    apart = max(abs(one - other) / abs(one) for one, other in zip(exact, half, strict=True))
    return {'float32': exact, 'bfloat16': half, 'largest_difference': apart}


def scale_losses(bench: Bench, size: int, k: int) -> dict[str, Any]:
    """A training in float16: its losses, and the factor of the loss at the end (each step that overflows halves it)."""
    losses, scale = losses_of(bench, 'fp16', size, k)
    return {'losses': losses, 'finite': all(value == value and abs(value) < float('inf') for value in losses),
            'scale': scale}


def join_group(bench: Bench, size: int, k: int) -> dict[str, Any]:
    """Steps in a process group of one, by NCCL on a GPU, beside the same steps without."""
    backend = 'nccl' if bench.device == 'cuda' else 'gloo'
    alone, _ = losses_of(bench, 'as configured', size, k, GROUP_STEPS)
    with tempfile.TemporaryDirectory() as folder:
        dist.init_process_group(backend, init_method=f'file://{Path(folder) / "store"}', rank=0, world_size=1)
        try:
            torch.manual_seed(0)
            with bench.trainer() as (model, optim):
                wrapped = DistributedDataParallel(model, device_ids=[0] if bench.device == 'cuda' else None,
                                                  broadcast_buffers=False, find_unused_parameters=True)
                together = []
                for batch in islice(cycle(bench.batches(size, k)), GROUP_STEPS):
                    model.train()
                    with optim.optim_context(wrapped):
                        losses = wrapped(**model.data_preprocessor(batch, True), mode='loss')
                        loss = sum(value for name, value in losses.items() if 'loss' in name)
                    optim.update_params(loss)
                    together.append(loss.item())
        finally:
            dist.destroy_process_group()
    return {'backend': backend, 'alone': alone, 'in_group': together}


def find_slowest(bench: Bench, size: int, k: int) -> list[dict[str, Any]]:
    """The kernels (on a CPU the operations) that a training step spends most on, in milliseconds and as shares of all."""
    gpu = bench.device == 'cuda'
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with bench.trainer() as (model, optim):
        batches = cycle(bench.batches(size, k))
        train_step(model, optim, next(batches))
        bench.wait()
        with profile(activities=activities) as profiler:
            for _ in range(PROFILED):
                train_step(model, optim, next(batches))
            bench.wait()

    def own(event: Any) -> float:
        return float(event.self_device_time_total if gpu else event.self_cpu_time_total)

    # On a GPU the operations that launch kernels are listed with the time of these, too: only kernels count.
    events = [event for event in profiler.key_averages() if own(event) > 0 and (not gpu or 'CUDA' in str(event.device_type))]
    total = sum(map(own, events)) or 1.0
    slowest = sorted(events, key=own, reverse=True)[:SHOWN]
    return [{'name': event.key, 'milliseconds': own(event) / 1e3 / PROFILED, 'share': own(event) / total} for event in slowest]
