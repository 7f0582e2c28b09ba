"""Grounding DINO (Liu et al., ECCV 2024) as MMDetection has it, as a student that DUET can teach."""
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mmdet
import torch
import torch.nn.functional as F
from mmdet.models.layers import MLP
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmduet.models import BaseGrounder
from mmduet.models.conversion import COMPUTED
from mmduet.models.weights import load_partial_weights
from mmduet.structures import Canvas, GroundingBatch, GroundingFeatures, from_content
from mmduet.structures.boxes import cxcywh_to_xyxy
from projects.grounding_dino.feature_enhancer import enhance

CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs'
PREFIX = 'detector.'


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorFeatures(GroundingFeatures):
    """The contract, and what only the detector's own loss reads.

    Attributes:
        head_inputs: what MMDetection's decoder hands to its box head.
        detector_samples: the targets in MMDetection's frame: pixels of the photo as resized, its corner at 0.
    """

    head_inputs: dict[str, Any]
    detector_samples: list[DetDataSample]


class PlaceReader(MLP):
    """The decoder's perceptron over encoded boxes, which takes them from either lineage of MMDetection.

    OneDL's 3.5.1 encodes each number in twice as many waves as OpenMMLab's and as all published weights of Grounding DINO
    have inputs, so that its own Grounding DINO cannot run. Every other wave of the longer code is the shorter one.
    """

    def forward(self, encodings: Tensor) -> Tensor:
        """(B, Q, C) from (B, Q, 2C) or (B, Q, 4C) encodings of boxes, sine and cosine of a wave side by side."""
        if encodings.shape[-1] == 2 * self.layers[0].in_features:
            encodings = encodings.unflatten(-1, (-1, 2, 2))[..., 0, :].flatten(-2)
        read: Tensor = super().forward(encodings)
        return read


class GroundingDINOStudent(BaseGrounder):
    """MMDetection's detector, asked for one box.

    An expression goes in as MMDetection reads referring expressions: whole, closed by a full stop, all its words positive.
    The answer is the box of the query that any token scores highest after the last decoder layer, as in MMDetection; a
    ``stage`` is that query's box after a layer. The loss is the detector's own, with denoising, for the one target.

    The detector wants a photo in the corner of its canvas, so it is moved there, and boxes and map are moved back.

    The state dict has MMDetection's names: its checkpoints are this student's, and the other way round.

    Args:
        detector: a config of MMDetection, as a path below its ``configs`` folder.
        language_model: config of a ``GroundingBert``; how long texts are and whether there is a pooler says ``detector``.
        data_preprocessor: config of a ``GroundingDataPreprocessor``; MMDetection's means and deviations are its defaults.
        changes: of the model in that config, key by key.
        visual_level: which of the neck's maps is ``visual``; 0 is the finest.
        pretrained: a checkpoint of MMDetection, of Grounding DINO or of its ``backbone.*`` alone. None for random weights.
    """

    visual_reads_text = False

    def __init__(self, detector: str, language_model: dict[str, Any], data_preprocessor: dict[str, Any],
                 changes: dict[str, Any] | None = None, visual_level: int = 1, pretrained: str | None = None) -> None:
        super().__init__(data_preprocessor)
        model = read_detector(detector, changes or {})
        model['language_model'] = {**language_model, **{key: model['language_model'][key] for key in (
            'max_tokens', 'add_pooling_layer') if key in model['language_model']}}
        # A name without a scope means MMDetection's class here, whatever the runner's scope is.
        with DefaultScope.overwrite_default_scope('mmdet'):
            self.detector = MMDET_MODELS.build(model)
        width: int = self.detector.embed_dims
        self.detector.decoder.ref_point_head = PlaceReader(2 * width, width, width, 2)
        with _quiet():
            self.detector.init_weights()
        self.visual_level = visual_level
        self.channels = width
        self.use_tokenizer(self.detector.language_model.tokenizer)
        self.register_state_dict_post_hook(_drop_prefix)
        self.register_load_state_dict_pre_hook(_add_prefix)
        if pretrained is not None:
            load_partial_weights(self, pretrained, drop_computed)

    def init_weights(self) -> None:
        """Nothing is left to do: a second time would undo what was loaded."""

    @property
    def visual_encoder(self) -> nn.Module:
        """The part that reads photos and no words."""
        backbone: nn.Module = self.detector.backbone
        return backbone

    def extract(self, batch: GroundingBatch) -> DetectorFeatures:
        """See ``BaseGrounder.extract``.

        ``visual`` is a map of the neck: the feature enhancer mixes words into the image from its first layer on; ``fused`` is
        what the enhancer makes of it. ``text`` is BERT's answer as the enhancer takes it. ``query`` is the last state of the
        answering query.

        Raises:
            ValueError: the canvas is not a whole number of cells of ``visual`` wide.
        """
        canvases = [view.canvas for view in batch.views]
        maps = [batch.expand(level) for level in self.detector.extract_feat(move_to_corner(batch.pixels, canvases))]
        size, cells = batch.size, maps[self.visual_level].shape[-1]
        if size % cells:
            raise ValueError(f'{cells} cells do not divide a canvas of {size} pixels: take a multiple of the stride of '
                             f'visual_level {self.visual_level}')
        text = self.detector.language_model(*batch.tokens)
        text['embedded'] = self.detector.text_feat_map(text['embedded'])
        detector_samples = self._describe(batch, text['text_token_mask'])
        head_inputs, enhanced = self._detect(maps, text, detector_samples)

        hidden, references = head_inputs['hidden_states'], head_inputs['references']
        scores, boxes = self.detector.bbox_head(hidden, references, head_inputs['memory_text'], head_inputs['text_token_mask'])
        asked = slice(hidden.shape[2] - self.detector.num_queries, None)  # denoising queries come first
        best = scores[-1, :, asked].sigmoid().amax(dim=-1).argmax(dim=-1)
        rows = torch.arange(len(batch), device=best.device)
        answers = from_content(boxes[:, :, asked][:, rows, best].transpose(0, 1).float(), batch.expand(batch.content), size)
        canvases = [sample.canvas for sample in batch.samples]
        return DetectorFeatures(
            boxes=answers.transpose(0, 1), query=hidden[-1, :, asked][rows, best],
            visual=move_back(maps[self.visual_level], canvases), visual_padding=batch.expand(batch.padding(cells)),
            fused=move_back(enhanced, canvases), text=text['embedded'], text_padding=~text['text_token_mask'],
            head_inputs=head_inputs, detector_samples=detector_samples)

    def loss(self, features: GroundingFeatures, batch: GroundingBatch) -> dict[str, Tensor]:
        """MMDetection's losses: ``loss_cls``, ``loss_bbox``, ``loss_iou`` of the last layer, then ``_d0`` on for the others,
        ``_enc`` for the proposals and ``_dn`` for the denoising queries.

        Raises:
            RuntimeError: the features were made in eval mode.
        """
        assert isinstance(features, DetectorFeatures)  # what ``extract`` gave
        if 'dn_meta' not in features.head_inputs:
            raise RuntimeError('the detector compares with targets in training mode only')
        losses = self.detector.bbox_head.loss(**features.head_inputs, batch_data_samples=features.detector_samples)
        return {_rename_loss(name): value.sum() for name, value in losses.items()}  # some are vectors of one

    def _detect(self, maps: list[Tensor], text: dict[str, Tensor],
                samples: list[DetDataSample]) -> tuple[dict[str, Any], Tensor]:
        """What ``GroundingDINO.forward_transformer`` does, with our feature enhancer; and the enhanced map of ``visual``."""
        detector = self.detector
        image, decoder_inputs = detector.pre_transformer(maps, samples)
        memory, memory_text = enhance(detector.encoder, image, text)
        more, head_inputs = detector.pre_decoder(memory, image['feat_mask'], image['spatial_shapes'], memory_text,
                                                 text['text_token_mask'], batch_data_samples=samples)
        shape = maps[self.visual_level].shape[-2:]
        start = sum(level.shape[-2:].numel() for level in maps[:self.visual_level])
        enhanced = memory[:, start:start + shape.numel()].transpose(1, 2).unflatten(2, shape)
        return {**head_inputs, **detector.forward_decoder(**decoder_inputs, **more)}, enhanced

    def _describe(self, batch: GroundingBatch, token_mask: Tensor) -> list[DetDataSample]:
        """The expressions as MMDetection packs them; with their targets where they have some."""
        described = []
        pixel_boxes = cxcywh_to_xyxy(batch.boxes) * batch.size - batch.expand(batch.content)[:, None, [0, 1, 0, 1]]
        for sample, boxes, tokens in zip(batch.samples, pixel_boxes, token_mask, strict=True):
            place: Canvas = sample.canvas
            ours = DetDataSample(metainfo={'img_shape': (place.height, place.width),
                                           'batch_input_shape': (place.size, place.size)})
            if len(boxes):
                positive = torch.zeros(1, self.detector.bbox_head.max_text_len, device=tokens.device)
                # All words: not the mark before them, and neither the full stop nor the mark after them.
                positive[0, 1:len(tokens) - 2] = tokens[3:].float()
                ours.gt_instances = InstanceData(bboxes=boxes, labels=tokens.new_zeros(1, dtype=torch.long),
                                                 positive_maps=positive, text_token_mask=tokens[None])
            described.append(ours)
        return described


def read_detector(name: str, changes: Mapping[str, Any]) -> ConfigDict:
    """The ``model`` of a config of MMDetection, with changes, and without what fetches or needs another package.

    Raises:
        FileNotFoundError: the installed MMDetection has no such config.
        ValueError: its model is not a Grounding DINO.
    """
    if not (CONFIGS / name).is_file():
        raise FileNotFoundError(f'{name}: no config of the installed MMDetection, which are under {CONFIGS}')
    config = Config.fromfile(CONFIGS / name)
    if config.model.type != 'GroundingDINO':
        raise ValueError(f'{name}: the model is a {config.model.type}, not a GroundingDINO')
    # Weights come from ``pretrained``, and checkpointing of the encoder asks for fairscale.
    config.merge_from_dict({'model.backbone.init_cfg': None, 'model.encoder.num_cp': 0})
    config.merge_from_dict({'model': dict(changes)})
    return config.model


def move_to_corner(canvases: Tensor, places: list[Canvas]) -> Tensor:
    """(B, 3, S, S) canvases with each photo in the upper left corner, padding zero."""
    if not any(place.left or place.top for place in places):
        return canvases
    moved = torch.zeros_like(canvases)
    for k, place in enumerate(places):
        photo = canvases[k, :, place.top:place.top + place.height, place.left:place.left + place.width]
        moved[k, :, :place.height, :place.width] = photo
    return moved


def move_back(maps: Tensor, places: list[Canvas]) -> Tensor:
    """(B, C, H, W) maps of photos in the corner as maps of their canvases, between cells by bilinear interpolation."""
    if not any(place.left or place.top for place in places):
        return maps
    shifts = torch.tensor([[[1.0, 0.0, -2 * p.left / p.size], [0.0, 1.0, -2 * p.top / p.size]] for p in places])
    grid = F.affine_grid(shifts.to(maps), list(maps.shape), align_corners=False)
    return F.grid_sample(maps, grid, padding_mode='border', align_corners=False)


def drop_computed(weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Leave out the table of BERT's positions, which some versions of transformers store and others compute."""
    return {key: value for key, value in weights.items() if not key.endswith(COMPUTED)}


@contextmanager
def _quiet() -> Iterator[None]:
    """MMEngine would print a line for every parameter that it has set."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')
    try:
        yield
    finally:
        logger.setLevel(level)


def _rename_loss(name: str) -> str:
    """``d0.dn_loss_cls`` to ``loss_cls_dn_d0``: every loss begins with the word."""
    layer, _, term = name.rpartition('.')
    kind, _, what = term.rpartition('loss_')
    return '_'.join(part for part in ('loss', what, kind.strip('_'), layer) if part)


def _drop_prefix(module: nn.Module, state: dict[str, Any], prefix: str, metadata: dict[str, Any]) -> None:
    for key in [key for key in state if key.startswith(prefix + PREFIX)]:
        state[prefix + key.removeprefix(prefix + PREFIX)] = state.pop(key)


def _add_prefix(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for key in [key for key in state if key.startswith(prefix)]:
        state[prefix + PREFIX + key.removeprefix(prefix)] = state.pop(key)
