"""Items to a batch, made in a worker process, that travels in two pieces of shared memory instead of hundreds."""
import io
import pickle
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmduet.structures import draw_canvases

Batch = dict[str, Any]


class _TensorExtractor(pickle.Pickler):
    """Pickles everything but the tensors, which it keeps aside."""

    tensors: list[Tensor]

    def persistent_id(self, obj: Any) -> int | None:
        if not isinstance(obj, Tensor):
            return None
        self.tensors.append(obj)
        return len(self.tensors) - 1


class _TensorInserter(pickle.Unpickler):
    """Puts the tensors back."""

    tensors: list[Tensor]

    def persistent_load(self, pid: Any) -> Tensor:
        return self.tensors[pid]


class PackedBatch(Batch):
    """A dict that arrives in another process as a plain dict, its tensors as views of one tensor per type.

    PyTorch passes every tensor of a batch through shared memory and a socket of its own, which for a batch of 64 small images
    takes longer than making them.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        file = io.BytesIO()
        extractor = _TensorExtractor(file, protocol=pickle.HIGHEST_PROTOCOL)
        extractor.tensors = []
        extractor.dump(dict(self))
        forms = [(tensor.dtype, tensor.shape) for tensor in extractor.tensors]
        flat = {kind: torch.cat([tensor.reshape(-1) for tensor in extractor.tensors if tensor.dtype == kind])
                for kind in dict(forms)}
        return _unpack, (file.getvalue(), flat, forms)


def _unpack(content: bytes, flat: dict[torch.dtype, Tensor], forms: Sequence[tuple[torch.dtype, torch.Size]]) -> Batch:
    pieces = {kind: iter(whole.split([shape.numel() for other, shape in forms if other == kind]))
              for kind, whole in flat.items()}
    inserter = _TensorInserter(io.BytesIO(content))
    inserter.tensors = [next(pieces[kind]).view(shape) for kind, shape in forms]
    return inserter.load()


def grounding_collate(items: Sequence[Batch]) -> PackedBatch:
    """Make a batch of B expressions about U images; items whose ``inputs`` are one tensor share it.

    Returns:
        ``inputs``, (U, 3, S, S) uint8 canvases with the images on them; ``image_index``, the image of each expression;
        ``data_samples``, of the B expressions.

    Raises:
        ValueError: an image does not fit its sample's canvas; names it.

    >>> import torch
    >>> from mmdet.structures import DetDataSample
    >>> from mmduet.datasets import grounding_collate
    >>> from mmduet.structures import Canvas
    >>> canvas, image = Canvas(size=8, left=0, top=2, width=8, height=4, scale_x=1, scale_y=1), torch.ones(3, 4, 8).byte()
    >>> samples = [DetDataSample(metainfo=dict(text=text, img_path='a.jpg', canvas=canvas)) for text in ('a cup', 'a plate')]
    >>> batch = grounding_collate([dict(inputs=image, data_samples=sample) for sample in samples])
    >>> tuple(batch['inputs'].shape), batch['image_index']
    ((1, 3, 8, 8), [0, 0])
    """
    known: dict[int, int] = {}
    index = [known.setdefault(id(item['inputs']), len(known)) for item in items]
    shown = [items[index.index(number)] for number in range(len(known))]
    samples = [item['data_samples'] for item in items]
    canvases = draw_canvases([item['inputs'] for item in shown], [item['data_samples'].canvas for item in shown],
                             [item['data_samples'].get('img_path', 'image') for item in shown])
    return PackedBatch(inputs=canvases, image_index=index, data_samples=samples)
