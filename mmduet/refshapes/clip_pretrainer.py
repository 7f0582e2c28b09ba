"""Training a small CLIP on regions, phrases and captions with MMEngine's runner."""
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from open_clip.loss import ClipLoss
from torch import Tensor

from mmduet.models.teachers.crops import crop_and_resize, enlarge_within
from mmduet.models.teachers.open_clip_models import build_open_clip
from mmduet.models.teachers.patch_features import find_patch_encoder
from mmduet.refshapes.region_dataset import RegionSample, region_prompts
from mmduet.registry import MODELS
from mmduet.structures.regions import pool_regions

# CLIP's own bound on the inverse temperature.
MAX_LOGIT_SCALE = 4.6052


@MODELS.register_module()
class CLIPPretrainer(BaseModel):
    """open_clip's model under its own contrastive loss: crops with phrases, scenes with captions, regions with phrases.

    The third term pools the patch features of the scene at the boxes, so that the teacher's map means what its crops mean.

    Args:
        model: name of the architecture in open_clip or in ``model_config``; its image tower must give patch features.
        model_config: JSON file of a model that open_clip does not know.
        pretrained: weights to start from, a tag or a file; None starts from random weights.
        crop_scale: a crop is its box with width and height times this, as far as the image goes.
        caption_weight: of the loss between scenes and captions.
        dense_weight: of the loss between pooled regions and phrases.
        data_preprocessor: MMEngine's; only moves the batch.

    Raises:
        ValueError, FileNotFoundError, RuntimeError, NotImplementedError: see ``build_open_clip``, ``find_patch_encoder``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: str, model_config: str | None = None, pretrained: str | None = None, crop_scale: float = 1.2,
                 caption_weight: float = 0.5, dense_weight: float = 1.0,
                 data_preprocessor: dict[str, Any] | None = None) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        built = build_open_clip(model, pretrained, model_config, hash_words=False)
        self.clip = built.clip
        self.tokenize = built.tokenize
        self.image_size = built.image_size
        self.interpolation = built.interpolation
        self.encode_patches = find_patch_encoder(built.clip.visual)
        self.crop_scale = crop_scale
        self.caption_weight = caption_weight
        self.dense_weight = dense_weight
        self.contrast = ClipLoss()
        self.register_buffer('mean', torch.tensor(built.mean).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(built.std).view(3, 1, 1), persistent=False)

    def forward(self, inputs: list[Tensor], data_samples: list[RegionSample], mode: str = 'tensor'
                ) -> dict[str, Any] | list[dict[str, Any]]:
        """Return losses (``loss``), what the retrieval metric counts (``predict``), or embeddings (``tensor``).

        Args:
            inputs: B scenes, (3, S, S) uint8 RGB.
            data_samples: B samples.
            mode: one of the three.

        Raises:
            ValueError: another mode.
        """
        if mode not in ('loss', 'predict', 'tensor'):
            raise ValueError(f'mode must be loss, predict or tensor, got {mode!r}')
        embeddings = self._embed(inputs, data_samples)
        if mode == 'tensor':
            return embeddings
        return self._loss(embeddings, data_samples) if mode == 'loss' else self._predict(embeddings, data_samples)

    def embed_text(self, texts: list[str]) -> Tensor:
        """Return (N, D) of unit norm."""
        return F.normalize(self.clip.encode_text(self.tokenize(texts).to(self.mean.device)), dim=-1)

    def _embed(self, inputs: list[Tensor], samples: list[RegionSample]) -> dict[str, Tensor]:
        """Crops (sum of k, D) and regions (sum of n, D) in the order of the samples, scenes (B, D); unit norm."""
        scenes = torch.stack(inputs).float() / 255
        count, device = len(scenes), scenes.device
        index = torch.cat([torch.full((len(sample.cropped), ), number) for number, sample in enumerate(samples)])
        crops = self.cut(scenes, torch.cat([sample.crop_boxes for sample in samples]), index)
        images = torch.cat([scenes, crops])
        embeddings, dense = self.encode_patches(self.clip.visual, (images - self.mean) / self.std, count)
        most = max(len(sample.phrases) for sample in samples)
        boxes = torch.stack([F.pad(sample.boxes, (0, 0, 0, most - len(sample.boxes))) for sample in samples]).to(device)
        pooled = pool_regions(F.normalize(dense, dim=1), boxes)
        regions = torch.cat([pooled[index, :len(sample.boxes)] for index, sample in enumerate(samples)])
        embeddings = F.normalize(embeddings, dim=-1)
        return {'scenes': embeddings[:count], 'crops': embeddings[count:], 'regions': F.normalize(regions, dim=-1)}

    def cut(self, scenes: Tensor, boxes: Tensor, index: Tensor) -> Tensor:
        """Cut and resize as the teacher will.

        Args:
            scenes: (B, 3, S, S) RGB in [0, 1].
            boxes: (K, 4) cxcywh in [0, 1].
            index: (K,) scene of each box.

        Returns:
            (K, 3, h, w) RGB in [0, 1].
        """
        height, width = scenes.shape[2:]
        windows = torch.tensor([0, 0, width, height], device=scenes.device).expand(len(boxes), 4)
        corners = enlarge_within(boxes.to(scenes.device), windows, height, self.crop_scale)
        return crop_and_resize(scenes[index.to(scenes.device)], corners, self.image_size, self.interpolation)

    def _loss(self, embeddings: dict[str, Tensor], samples: list[RegionSample]) -> dict[str, Tensor]:
        with torch.no_grad():
            self.clip.logit_scale.clamp_(max=MAX_LOGIT_SCALE)
        scale = self.clip.logit_scale.exp()
        texts = self.embed_text([*(phrase for sample in samples for phrase in sample.phrases),
                                 *(sample.caption for sample in samples)])
        phrases, captions = texts[:-len(samples)], texts[-len(samples):]
        offset, cropped = 0, []
        for sample in samples:
            cropped.append(sample.cropped + offset)
            offset += len(sample.phrases)
        chosen = torch.cat(cropped).to(phrases.device)
        return {
            'loss_crop': self.contrast(embeddings['crops'], phrases[chosen], scale),
            'loss_dense': self.dense_weight * self.contrast(embeddings['regions'], phrases, scale),
            'loss_caption': self.caption_weight * self.contrast(embeddings['scenes'], captions, scale),
        }

    def _predict(self, embeddings: dict[str, Tensor], samples: list[RegionSample]) -> list[dict[str, Any]]:
        """Of each sample: the labels predicted from crops and from patch features, and the object chosen for the expression."""
        prompts = self.embed_text(list(region_prompts()))
        expressions = self.embed_text([sample.expression for sample in samples])
        predictions: list[dict[str, Any]] = []
        counts = [len(sample.phrases) for sample in samples]
        crops, regions = embeddings['crops'].split([len(s.cropped) for s in samples]), embeddings['regions'].split(counts)
        for sample, crop, region, expression in zip(samples, crops, regions, expressions, strict=True):
            predictions.append({
                'labels': sample.labels.tolist(),
                'cropped': sample.cropped.tolist(),
                'target': sample.target,
                'kind': sample.kind,
                'crop_labels': (crop @ prompts.T).argmax(1).tolist(),
                'dense_labels': (region @ prompts.T).argmax(1).tolist(),
                'crop_choice': int(sample.cropped[(crop @ expression).argmax().cpu()]),
                'dense_choice': int((region @ expression).argmax()),
            })
        return predictions
