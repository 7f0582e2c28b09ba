"""From images and expressions to boxes, in two lines."""
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.infer import BaseInferencer
from rich.progress import track
from torch import nn

from mmduet.apis.devices import find_device
from mmduet.apis.hub import HubOptions, check_options, refuse_options
from mmduet.apis.image_inputs import ChannelOrder, Expressions, ImageInput, check_batch_size, list_images, pair, read_images
from mmduet.apis.pretrained import TOY, PretrainedGrounder
from mmduet.apis.results import GroundingResult, GroundingResults
from mmduet.apis.unknown_words import find_unknown_words
from mmduet.datasets import grounding_collate
from mmduet.datasets.transforms.shared_view import run_pipeline
from mmduet.engine.config_tools import ConfigError
from mmduet.io.images import ImageArray
from mmduet.models.cpu import optimise_for_cpu
from mmduet.models.cuda_graphs import GraphedStudent
from mmduet.models.folding import fold_frozen_norms, keep_products
from mmduet.models.precision import choose_precision
from mmduet.registry import INFERENCERS

if TYPE_CHECKING:
    from typing_extensions import Unpack  # of Python from 3.11 on

Precision: TypeAlias = Literal['float32', 'bfloat16', 'float16', 'auto']
PRECISIONS = ('float32', 'bfloat16', 'float16', 'auto')
Query: TypeAlias = tuple[ImageInput, ImageArray, str]


class InferencerOptions(HubOptions, total=False):
    """What ``GroundingInferencer`` takes beside a model, by the names and types of its arguments."""

    weights: str | Path | None
    device: str | torch.device
    scope: str
    show_progress: bool
    precision: Precision
    vocabulary: str | Path | None
    cuda_graphs: bool


@INFERENCERS.register_module()
class GroundingInferencer(BaseInferencer):
    """Ground expressions in images.

    Args:
        model: folder of ``save_pretrained``, name on the Hugging Face hub, checkpoint of ``mmduet train`` or of the authors
            of TransVG, VLTVG, QRNet or CLIP-VG; or a ``PretrainedGrounder``; or, with ``weights``, a training config. None for
            the toy that ships with the package, which knows coloured shapes only, and says so.
        weights: checkpoint of a training config. One that is distilled gives its student.
        device: ``'auto'`` for the best that is there, or a device of PyTorch.
        scope: of the registries.
        show_progress: show a bar where there is more than one batch.
        precision: ``'float32'``; ``'bfloat16'`` or ``'float16'`` where autocast deems it safe; ``'auto'`` for what fits
            the device (see ``mmduet.models.precision.fitting_precision``).
        vocabulary: path of a ``vocab.txt``, for a checkpoint that holds none.
        cuda_graphs: answer about a single image by a CUDA graph, whose kernels are launched as one (see ``GraphedStudent``). It
            holds the memory of a forward pass for each shape of a batch.
        hub: ``revision``, ``token``, ``cache_dir``, ``force_download``, ``local_files_only`` of the hub, see ``HubOptions``.

    Raises:
        TypeError: an unknown option of the hub.
        ConfigError: there is no such device; the model is exported, or a config without weights; an argument about reading
            with a ``PretrainedGrounder``, which was read.
        ValueError: an unknown precision; CUDA graphs on another device, or of a student that reads texts.
        FileNotFoundError, ConfigError, DataError, CheckpointError: see ``PretrainedGrounder.from_pretrained``.

    >>> import numpy as np
    >>> from mmduet import GroundingInferencer, PretrainedGrounder
    >>> from mmduet.engine.config_tools import load_config
    >>> from mmduet.registry import MODELS
    >>> config = load_config('configs/transvg/transvg_refshapes.py')
    >>> ground = GroundingInferencer(PretrainedGrounder.from_model(MODELS.build(config.model), config))
    >>> results = ground(np.zeros((48, 64, 3), np.uint8), ['the red ball', 'a ring'], channel_order='rgb')
    >>> [(result.expression, len(result.box)) for result in results]
    [('the red ball', 4), ('a ring', 4)]
    """

    preprocess_kwargs: set[str] = {'expressions', 'channel_order'}
    forward_kwargs: set[str] = set()
    visualize_kwargs: set[str] = {'show'}
    postprocess_kwargs: set[str] = {'out'}

    def __init__(self, model: str | Path | Config | PretrainedGrounder | None = None, weights: str | Path | None = None,
                 device: str | torch.device = 'auto', scope: str = 'mmduet', show_progress: bool = True,
                 precision: Precision = 'float32', vocabulary: str | Path | None = None,
                 cuda_graphs: bool = False, **hub: 'Unpack[HubOptions]') -> None:
        if precision not in PRECISIONS:
            raise ValueError(f'precision must be one of {", ".join(PRECISIONS)}, got {precision!r}')
        self.device = find_device(device)
        self.grounder = _read(model, weights, vocabulary, check_options(hub))
        self.precision = precision
        self.computes_in = choose_precision(precision, self.device, 'predictions')
        about = self.grounder.description
        cfg = Config({'model': about.model, 'test_pipeline': about.test_pipeline})
        super().__init__(cfg, device=str(self.device), scope=scope, show_progress=show_progress)
        self._graphed = GraphedStudent(self.model) if cuda_graphs else None

    @classmethod
    def from_pretrained(cls, name: str | Path, **options: 'Unpack[InferencerOptions]') -> 'GroundingInferencer':
        """The same as ``GroundingInferencer(name, **options)``."""
        return cls(name, **options)

    @overload
    def __call__(self, inputs: Any, expressions: Expressions, batch_size: int = 16, channel_order: ChannelOrder | None = None,
                 return_datasamples: Literal[False] = False, skip_broken: bool = False) -> GroundingResults: ...

    @overload
    def __call__(self, inputs: Any, expressions: Expressions, batch_size: int = 16, channel_order: ChannelOrder | None = None,
                 *, return_datasamples: Literal[True]) -> list[DetDataSample]: ...

    def __call__(self, inputs: Any, expressions: Expressions, batch_size: int = 16, channel_order: ChannelOrder | None = None,
                 return_datasamples: bool = False, skip_broken: bool = False) -> GroundingResults | list[DetDataSample]:
        """Find what each expression refers to.

        Args:
            inputs: a path, a URL, a PIL image, bytes, an array (h, w, 3) of uint8, a tensor (3, h, w) of uint8 or of floats in
                [0, 1], a folder, a glob pattern, or a list of these.
            expressions: one, or a list of several, of every image; or a list of lists, one for each image.
            batch_size: expressions at a time.
            channel_order: of arrays, which must be said: ``'rgb'``, or ``'bgr'`` as ``cv2.imread`` reads them. A tensor is RGB
                where it is not said.
            return_datasamples: return MMDetection's samples, whose ``pred_instances`` have ``bboxes`` and ``scores``.
            skip_broken: leave out images that cannot be read, as ``broken`` of the results says; else the first is raised.

        Returns:
            One result per image and expression, image by image.

        Raises:
            TypeError, ValueError: no image or no expression; says what was given and what is taken.
            ImageError: an image is missing, truncated or corrupt; names it.
        """
        batch_size = check_batch_size(batch_size)
        if skip_broken and return_datasamples:
            raise ValueError('skip_broken is of results, which say what was left out: samples do not')
        images = list_images(inputs, channel_order)
        texts = pair(images, expressions)
        tokenizer = self.model.data_preprocessor.tokenizer
        unknown = {} if tokenizer is None else find_unknown_words(texts, tokenizer.unknown_words)
        results, samples = GroundingResults(), []
        there = read_images(images, texts, results.broken if skip_broken else None)
        batches: Iterable[list[Query]] = _batches(there, batch_size)
        count = -(-sum(map(len, texts)) // batch_size)
        if self.show_progress and count > 1:
            batches = track(batches, description='Grounding', total=count)
        for batch in batches:
            answers = self.forward(self.collate_fn(self._prepare(batch)))
            if return_datasamples:
                samples += answers
            else:
                results += [self._result(query, sample, unknown) for query, sample in zip(batch, answers, strict=True)]
        return samples if return_datasamples else results

    def _prepare(self, batch: Sequence[Query]) -> list[dict[str, Any]]:
        """Items of a batch; expressions about an image share the view of it."""
        items = []
        for _, queries in groupby(batch, key=lambda query: id(query[1])):
            (image, pixels, text), *others = queries
            results = {'img': pixels, 'img_path': image.name, 'text': text, 'expression_id': text, 'flip': False}
            if others:
                results['companions'] = [{'text': other, 'expression_id': other} for _, _, other in others]
            items += run_pipeline(results, self.pipeline.transforms)
        return items

    def preprocess(self, inputs: Any, batch_size: int = 1, expressions: Expressions = (),
                   channel_order: ChannelOrder | None = None, **_: Any) -> Iterator[Any]:
        """Collated batches, each for ``forward``; arguments and errors as those of ``__call__``."""
        images = list_images(inputs, channel_order)
        for batch in _batches(read_images(images, pair(images, expressions)), check_batch_size(batch_size)):
            yield self.collate_fn(self._prepare(batch))

    @staticmethod
    def list_models(scope: str | None = None, patterns: str = '.*') -> list[str]:
        """The models that come with the package, by names that match a regular expression; whatever the ``scope``."""
        return [name for name in (TOY, ) if re.match(patterns, name)]

    def forward(self, inputs: Any, **_: Any) -> list[DetDataSample]:
        """Samples with ``pred_instances`` of a collated batch."""
        with torch.inference_mode(), self._autocast():
            if self._graphed is None:
                return list(self.model.test_step(inputs))
            batch = self.model.data_preprocessor(inputs)['batch']
            return list(self.model.predict(self._graphed.extract(batch), batch))

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.computes_in == 'float32':
            return nullcontext()
        return torch.autocast(self.device.type, dtype=getattr(torch, self.computes_in))

    def _result(self, query: Query, sample: DetDataSample, unknown: Mapping[str, tuple[str, ...]]) -> GroundingResult:
        image, pixels, text = query
        x1, y1, x2, y2 = sample.pred_instances.bboxes[0].tolist()
        score = None if self.grounder.student.score_head is None else float(sample.pred_instances.scores[0])
        return GroundingResult(image.name, text, (x1, y1, x2, y2), score, (pixels.shape[1], pixels.shape[0]), image,
                               unknown.get(text, ()))

    def visualize(self, inputs: list[Any], preds: Sequence[GroundingResult], show: bool = False,
                  **_: Any) -> list[np.ndarray[Any, Any]]:
        """Drawn images, (H, W, 3) uint8 RGB, of results."""
        if show:
            GroundingResults(preds).show()
        return [np.asarray(result.draw()) for result in preds]

    def postprocess(self, preds: Sequence[GroundingResult], visualization: list[np.ndarray[Any, Any]],
                    return_datasample: bool = False, out: str | Path | None = None, **_: Any) -> dict[str, Any]:
        """MMEngine's ``{'predictions': JSON data, 'visualization': images}`` of results; saved to ``out`` where it is given."""
        if out is not None:
            GroundingResults(preds).save(out)
        return {'predictions': [result.to_dict() for result in preds], 'visualization': visualization}

    def _init_model(self, cfg: Any, weights: str | None, device: str = 'cpu') -> nn.Module:
        model: nn.Module = self.grounder.student.to(device).eval()
        if self.device.type == 'cpu':
            optimise_for_cpu(model)
        else:
            fold_frozen_norms(model)
        keep_products(model)
        return model

    def _init_collate(self, cfg: Any) -> Callable[..., Any]:
        return grounding_collate

    def _init_pipeline(self, cfg: Any) -> Callable[..., Any]:
        return Compose(self.grounder.description.test_pipeline)


def _read(model: Any, weights: str | Path | None, vocabulary: str | Path | None, hub: HubOptions) -> PretrainedGrounder:
    if isinstance(model, PretrainedGrounder):
        if weights is not None or vocabulary is not None:
            raise ConfigError('weights and vocabulary are for what is read, and a PretrainedGrounder has its own')
        refuse_options(hub, 'the model is a PretrainedGrounder')
        return model
    if weights is not None:
        return PretrainedGrounder.from_pretrained(weights, config=model, vocabulary=vocabulary, **hub)
    if isinstance(model, str | Path) and str(model).lower().endswith('.onnx'):
        raise ConfigError(f'{model} is an exported model, which needs no PyTorch: mmduet predict takes it, and in Python '
                          'OnnxGrounder (from mmduet.export import OnnxGrounder)')
    if isinstance(model, Config) or str(model).endswith('.py'):
        raise ConfigError('a config without weights: give a checkpoint, a folder of save_pretrained or a name on the hub; or a '
                          'config and weights=')
    return PretrainedGrounder.from_pretrained(TOY if model is None else model, vocabulary=vocabulary, **hub)


def _batches(images: Iterable[tuple[ImageInput, ImageArray, Sequence[str]]], size: int) -> Iterator[list[Query]]:
    """Images with their expressions, ``size`` at a time; an image is kept as long as it is needed."""
    batch: list[Query] = []
    for image, pixels, row in images:
        for text in row:
            batch.append((image, pixels, text))
            if len(batch) == size:
                yield batch
                batch = []
    if batch:
        yield batch
