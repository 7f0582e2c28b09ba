"""Seconds by name, beside a unit that is timed in the same minutes."""
import contextlib
import sys
import time
from collections import defaultdict
from collections.abc import Iterator

U_THREADS = 2


def peak_memory() -> float | None:
    """The most memory that this process has had, bytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == 'darwin' else most * 1024


class Clock:
    """Seconds by name, and their ratio to the u before and after; waits for the device at every reading."""

    def __init__(self, device: str, threads: int) -> None:
        import torch
        import torchvision
        self._device = device
        self._threads = threads
        self._network = torchvision.models.resnet50(weights=None).eval().to(device)
        self._input = torch.rand(1, 3, 640, 640, device=device)
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.units: dict[str, list[float]] = defaultdict(list)
        self._u: float | None = None
        self._pending: list[tuple[str, float]] = []

    def measure_u(self) -> None:
        """Time one forward pass of the reference network, and relate to it what was timed since the one before."""
        import torch
        torch.set_num_threads(U_THREADS)
        with torch.inference_mode():
            start = self._now()
            self._network(self._input)
            u = self._now() - start
        torch.set_num_threads(self._threads)
        self.seconds['u'].append(u)
        around = u if self._u is None else (self._u + u) / 2
        for name, seconds in self._pending:
            self.units[name].append(seconds / around)
        self._u, self._pending = u, []

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what is done inside."""
        start = self._now()
        yield
        self.add(name, self._now() - start)

    def add(self, name: str, seconds: float) -> None:
        """Record a time that was measured elsewhere."""
        self.seconds[name].append(seconds)
        self._pending.append((name, seconds))

    def forget(self) -> None:
        """Drop what the warm-up recorded."""
        self.seconds.clear()
        self.units.clear()
        self._pending.clear()

    def _now(self) -> float:
        import torch
        if self._device == 'cuda':
            torch.cuda.synchronize()
        return time.perf_counter()
