"""Predict with an exported model: NumPy, Pillow and onnxruntime, and neither PyTorch nor the host frameworks."""
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mmduet.apis.image_inputs import ChannelOrder, Expressions, ImageInput, check_batch_size, list_images, pair, read_images
from mmduet.apis.results import GroundingResult, GroundingResults
from mmduet.apis.unknown_words import find_unknown_words
from mmduet.export.description import BOXES, INPUTS, SCORES, ExportedDescription
from mmduet.export.preprocessing import PlacedImage, place_image
from mmduet.export.text import find_encoding
from mmduet.io.errors import DataError
from mmduet.io.files import require_regular
from mmduet.io.images import ImageArray
from mmduet.io.notices import say_once

Query = tuple[ImageInput, int, tuple[int, int], str]


class OnnxGrounder:
    """Ground expressions in images by a file that ``mmduet export`` wrote; answers are those of ``GroundingInferencer``.

    Args:
        model: path of the ``.onnx`` file.
        providers: of onnxruntime, the first that is there is taken; None for the CPU.
        threads: for one operation; None to let onnxruntime choose.

    Attributes:
        description: what the file says of itself.

    Raises:
        FileNotFoundError: no such file.
        DataError: it is no ONNX file, or none that ``mmduet export`` wrote.
        ImportError: its text needs a library that is not installed; says which.
        ValueError: a provider that this onnxruntime has not; names those it has.
    """

    def __init__(self, model: str | Path, providers: Sequence[str] | None = None, threads: int | None = None) -> None:
        path = Path(model)
        if not path.exists():
            raise FileNotFoundError(f'there is no exported model {path}')
        require_regular(path)
        providers = [providers] if isinstance(providers, str) else list(providers or ['CPUExecutionProvider'])
        if strange := set(providers) - set(ort.get_available_providers()):
            raise ValueError(f'onnxruntime has no provider {", ".join(sorted(strange))} here: it has '
                             f'{", ".join(ort.get_available_providers())}')
        options = ort.SessionOptions()
        options.log_severity_level = 4  # what it would print of an error is raised too
        if threads is not None:
            if threads < 1:
                raise ValueError(f'threads must be at least 1, got {threads}')
            options.intra_op_num_threads = threads
        try:
            self.session = ort.InferenceSession(str(path), options, providers=providers)
            metadata = self.session.get_modelmeta().custom_metadata_map
        except Exception as error:  # onnxruntime's own have no common base but this
            raise DataError(f'{path} is no ONNX model that onnxruntime {ort.__version__} can run '
                            f'({str(error).splitlines()[0]:.300})') from error
        self.description = ExportedDescription.from_metadata(metadata, str(path))
        self.outputs = [BOXES, SCORES] if self.description.has_score else [BOXES]
        found = {value.name for value in (*self.session.get_inputs(), *self.session.get_outputs())}
        if found != {*INPUTS, *self.outputs}:
            raise DataError(f'{path} takes and gives {", ".join(sorted(found))}, not what its metadata say')
        say_once(self.description.notice)
        self.encode = find_encoding(self.description, metadata, str(path))

    def __call__(self, inputs: Any, expressions: Expressions, batch_size: int = 16,
                 channel_order: ChannelOrder | None = None, *, skip_broken: bool = False) -> GroundingResults:
        """Find what each expression refers to; arguments, answers and errors as those of ``GroundingInferencer``."""
        batch_size = check_batch_size(batch_size)
        images = list_images(inputs, channel_order)
        texts = pair(images, expressions)
        unknown = find_unknown_words(texts, self.encode.unknown_words)
        results = GroundingResults()
        for placed, queries in self._batches(read_images(images, texts, results.broken if skip_broken else None), batch_size):
            boxes, scores = self.predict(placed, [index for _, index, _, _ in queries], [text for *_, text in queries])
            results += [_result(query, box, score, unknown) for query, box, score in zip(queries, boxes, scores, strict=True)]
        return results

    def predict(self, images: Sequence[PlacedImage], image_index: Sequence[int],
                expressions: Sequence[str]) -> tuple[NDArray[np.float32], list[float | None]]:
        """(B, 4) xyxy boxes in [0, 1] of the images, and B scores, None where the model has none.

        Args:
            images: U canvases.
            image_index: of each of B expressions, below U.
            expressions: B.
        """
        ids, mask = self.encode(expressions)
        feeds = (np.stack([image.canvas for image in images]), np.stack([image.content for image in images]),
                 np.asarray(image_index, np.int64), ids, mask)
        boxes, *scores = self.session.run(self.outputs, dict(zip(INPUTS, feeds, strict=True)))
        return np.asarray(boxes, np.float32), list(map(float, scores[0])) if scores else [None] * len(expressions)

    def place(self, image: ImageArray) -> PlacedImage:
        """(h, w, 3) uint8 RGB pixels on the model's canvas."""
        return place_image(image, self.description.canvas_size, self.description.long_side)

    def _batches(self, images: Iterable[tuple[ImageInput, ImageArray, Sequence[str]]],
                 size: int) -> Iterator[tuple[list[PlacedImage], list[Query]]]:
        """Canvases and ``size`` expressions at a time; an image is read once, and there once for all its expressions."""
        canvases: list[PlacedImage] = []
        queries: list[Query] = []
        for image, pixels, row in images:
            placed, shape = self.place(pixels), (pixels.shape[1], pixels.shape[0])
            for text in row:
                if len(queries) == size:
                    yield canvases, queries
                    canvases, queries = [], []
                if not canvases or canvases[-1] is not placed:
                    canvases.append(placed)
                queries.append((image, len(canvases) - 1, shape, text))
        if queries:
            yield canvases, queries


def _result(query: Query, box: NDArray[np.float32], score: float | None,
            unknown: Mapping[str, tuple[str, ...]]) -> GroundingResult:
    image, _, (width, height), text = query
    x1, y1, x2, y2 = (box * np.array([width, height] * 2, np.float32)).tolist()
    return GroundingResult(image.name, text, (x1, y1, x2, y2), score, (width, height), image, unknown.get(text, ()))
