"""Answers about one image by a CUDA graph: a student's hundreds of kernels, launched as one."""
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from mmduet.models.base_grounder import BaseGrounder
from mmduet.structures import GroundingBatch, GroundingFeatures

# From a function to one that repeats what it did, and what it returned.
Extract: TypeAlias = Callable[[], GroundingFeatures]
Record: TypeAlias = Callable[[Extract], tuple[Callable[[], None], GroundingFeatures]]

# Each holds the memory of a forward pass.
MOST_GRAPHS = 16
WARM_UPS = 3


class GraphedStudent:
    """A student whose features of a batch about one image come from a CUDA graph, one for each shape of a batch.

    A graph is captured when a shape first comes: so many expressions, a length of text, padding or none. It replays the kernels
    that the student launches by itself, and gives the same numbers. Visual tokens that are padding are encoded, so that images
    of all proportions have one shape. Texts come in few lengths, so that a run has a handful of
    graphs; past ``MOST_GRAPHS`` the one that was not used for longest is dropped. Batches about several images are computed
    kernel by kernel.

    Args:
        student: in eval mode, on a CUDA device; one that takes token ids, as a graph cannot read texts.
        record: from a function without arguments to one that repeats what it did, and what it returned; a CUDA graph by
            default.

    Raises:
        ValueError: the student is on no CUDA device, or takes no token ids.
    """

    def __init__(self, student: BaseGrounder, record: Record | None = None) -> None:
        device = next(student.parameters()).device
        if record is None and device.type != 'cuda':
            raise ValueError(f'CUDA graphs need a CUDA device, and the model is on {device}: leave cuda_graphs out')
        if student.data_preprocessor.tokenizer is None:
            raise ValueError(f'{type(student).__name__} reads texts, which a CUDA graph cannot: leave cuda_graphs out')
        student.data_preprocessor.encode_padding = True
        self._student = student
        self._record = record or record_cuda_graph
        self._graphs: OrderedDict[Any, tuple[dict[str, Tensor], Callable[[], None], GroundingFeatures]] = OrderedDict()

    def extract(self, batch: GroundingBatch) -> GroundingFeatures:
        """What the student's ``extract`` gives for a batch; valid until the next call."""
        if len(batch.pixels) > 1:
            return self._student.extract(batch)
        given = {field.name: value for field in fields(batch) if isinstance(value := getattr(batch, field.name), Tensor)}
        key = (batch.has_padding, *((tuple(value.shape), value.dtype) for value in given.values()))
        if key not in self._graphs:
            self._graphs[key] = self._capture(batch, given)
            if len(self._graphs) > MOST_GRAPHS:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(key)
        inputs, replay, features = self._graphs[key]
        for name, value in given.items():
            inputs[name].copy_(value, non_blocking=True)
        replay()
        return features

    def _capture(self, batch: GroundingBatch, given: dict[str, Tensor]
                 ) -> tuple[dict[str, Tensor], Callable[[], None], GroundingFeatures]:
        inputs = {name: value.clone(memory_format=torch.preserve_format) for name, value in given.items()}
        # No words, so that a student that reads them cannot seem to work.
        changes: dict[str, Any] = {**inputs, 'texts': ('', ) * len(batch)}
        fixed = replace(batch, **changes)
        replay, features = self._record(lambda: self._student.extract(fixed))
        return inputs, replay, features


def record_cuda_graph(function: Extract) -> tuple[Callable[[], None], GroundingFeatures]:
    """Record the kernels that a function launches; what replays them, and what it returned, which a replay writes anew."""
    kind, mixed = torch.get_autocast_dtype('cuda'), torch.is_autocast_enabled('cuda')
    # Weights that autocast has cast outside are gone when the graph is replayed: it casts its own.
    with torch.autocast('cuda', dtype=kind, enabled=mixed, cache_enabled=False):
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):  # algorithms are chosen and workspaces made before
                function()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = function()
    return graph.replay, result
