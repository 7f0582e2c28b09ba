"""The DUET distillation head: semantic distillation from a teacher, region-contrastive distillation from the student itself."""
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mmduet.models.base_grounder import Samples, stack_targets
from mmduet.models.distill.anchors import Anchor, QueryAnchor
from mmduet.models.distill.projector import Projector, RegionProjector
from mmduet.models.losses import RegionContrastiveLoss, SemanticDistillLoss
from mmduet.models.losses.target_identity import identify_targets
from mmduet.models.task_modules import RegionSampler, SLASampler
from mmduet.registry import MODELS, TASK_UTILS
from mmduet.structures import GroundingFeatures, Regions, TeacherTargets, pool_regions, stack_windows

Config = dict[str, Any]
# Expressions of one photo whose targets overlap by this much mean one object (method, semantic distillation).
SAME_TARGET_IOU = 0.5


@MODELS.register_module()
class DUETHead(nn.Module):
    """Losses between a student's features, a teacher's targets and the student's own regions.

    A half that is None, or a term of weight 0, is absent with its projectors, and the teacher is not asked for it. All is
    computed in float32, under any autocast.

    Args:
        channels: C of the student.
        embed_dims: D of the teacher.
        semantic: config of a ``SemanticDistillLoss``.
        region: config of a ``RegionContrastiveLoss``.
        anchor: config of an ``Anchor`` without its widths; ``QueryAnchor`` by default.
        sampler: config of a ``RegionSampler``; ``SLASampler`` by default.
        contrast_projector: config of a ``RegionProjector`` of the contrast's own, without its widths; it says which map is
            contrasted. By default the contrast uses the one that meets the teacher's space, which reads ``visual``.
        stop_gradient: the contrast moves the anchor towards the sampled regions, not them towards it.
        warmup_steps: all losses of the head grow linearly to full weight over so many training calls; 0 for none.

    Raises:
        ValueError: ``stop_gradient`` would leave a projector untrained.
    """

    def __init__(self, channels: int, embed_dims: int, semantic: Config | None = None, region: Config | None = None,
                 anchor: Config | None = None, sampler: Config | None = None, contrast_projector: Config | None = None,
                 stop_gradient: bool = False, warmup_steps: int = 0) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        self.stop_gradient = stop_gradient
        self.warmup_steps = warmup_steps
        self.calls = 0
        self.semantic_loss: SemanticDistillLoss | None = MODELS.build(semantic) if semantic else None
        self.region_loss: RegionContrastiveLoss | None = MODELS.build(region) if region else None
        if self.region_loss is not None and not self.region_loss.weight:
            self.region_loss = None
        wanted = self.semantic_loss.needs if self.semantic_loss is not None else frozenset()
        contrasts = self.region_loss is not None
        shared = contrasts and contrast_projector is None
        widths = {'channels': channels, 'embed_dims': embed_dims}
        self.projectors = nn.ModuleDict({
            name: (RegionProjector if name == 'region' else Projector)(**widths)
            for name in sorted({*wanted, *({'region'} if shared else set())})})
        self.contrast_projector: RegionProjector | None = None
        self.anchor: Anchor | None = None
        self.sampler: RegionSampler | None = None
        if contrasts:
            if contrast_projector is not None:
                self.contrast_projector = MODELS.build({'type': RegionProjector, **contrast_projector, **widths})
            self.anchor = MODELS.build({'type': QueryAnchor, **(anchor or {}), **widths})
            self.sampler = TASK_UTILS.build({'type': SLASampler, **(sampler or {})})
            trained = self.anchor.trains_region_projector or (shared and 'region' in wanted)
            if stop_gradient and not trained:
                raise ValueError('with stop_gradient and this anchor nothing would train the projector of the sampled regions: '
                                 'set contrast_projector=None with a region or relation term, or take a RegionAnchor')

    @property
    def needs(self) -> frozenset[str]:
        """Names of the ``TeacherTargets`` that the head reads."""
        semantic = self.semantic_loss.needs if self.semantic_loss is not None else frozenset()
        if self.sampler is None or not self.sampler.reads_semantics:
            return semantic
        return semantic | ({'similarity', 'text', 'region', 'distractors'} if self.sampler.read_crops else {'similarity'})

    def forward(self, features: GroundingFeatures, targets: TeacherTargets, samples: Samples) -> dict[str, Tensor]:
        """``loss_text``, ``loss_region``, ``loss_image``, ``loss_relation``, ``loss_contrast``: those that are active."""
        with torch.autocast(features.visual.device.type, enabled=False):
            features = replace(features, visual=features.visual.float(), text=features.text.float(),
                               query=features.query.float(), boxes=features.boxes.float(),
                               fused=None if features.fused is None else features.fused.float())
            boxes = stack_targets(samples, features.visual.device)
            losses = self._distill(features, targets, boxes, samples)
            if self.region_loss is not None:
                losses['loss_contrast'] = self._contrast(features, targets, boxes, samples)
        return self._warm_up(losses)

    def _distill(self, features: GroundingFeatures, targets: TeacherTargets, boxes: Tensor,
                 samples: Samples) -> dict[str, Tensor]:
        if self.semantic_loss is None:
            return {}
        pooled = {
            'text': lambda: _mean_without_padding(features.text, features.text_padding),
            'region': lambda: pool_regions(features.visual, boxes[:, None])[:, 0],
            'image': lambda: _mean_without_padding(features.visual.flatten(2).mT, features.visual_padding.flatten(1)),
        }
        embeddings = {name: self.projectors[name](pooled[name]()) for name in sorted(self.semantic_loss.needs)}
        losses: dict[str, Tensor] = self.semantic_loss(embeddings, targets, identify_targets(samples, boxes.device))
        return losses

    def _contrast(self, features: GroundingFeatures, targets: TeacherTargets, boxes: Tensor, samples: Samples) -> Tensor:
        if self.region_loss is None or self.anchor is None:
            raise RuntimeError('this head has no region-contrastive loss')
        project = self.contrast_projector if self.contrast_projector is not None else self.projectors['region']
        assert isinstance(project, RegionProjector)  # for the type checker
        regions = self.sample_regions(targets, boxes, samples)
        embedded = project.embed(features, torch.cat([regions.positives, regions.negatives], dim=1))
        if self.stop_gradient:
            embedded = embedded.detach()
        positives, negatives = embedded.split([regions.positives.shape[1], regions.negatives.shape[1]], dim=1)
        same = identify_targets(samples, boxes.device).same(SAME_TARGET_IOU) if self.region_loss.across_images else None
        loss: Tensor = self.region_loss(self.anchor(features, project), positives, negatives, regions, same)
        return loss

    def sample_regions(self, targets: TeacherTargets, boxes: Tensor, samples: Samples) -> Regions:
        """Draw the regions of this call; (B, 4) ``boxes`` are the targets, cxcywh on the canvas.

        Raises:
            ValueError: the sampler reads semantics, and the teacher did not give what tells it.
        """
        if self.sampler is None:
            raise RuntimeError('this head has no sampler')
        similarity = targets.similarity
        if self.sampler.reads_semantics and similarity is None:
            raise ValueError(f'{type(self.sampler).__name__} needs the similarity map of the teacher')
        crops = self._compare_crops(targets) if self.sampler.reads_semantics and self.sampler.read_crops else None

        def semantics(candidates: Tensor) -> Tensor:
            assert similarity is not None  # checked above; for the type checker
            reading = pool_regions(similarity.float()[:, None], candidates)[..., 0]
            if crops is not None:
                # The sampler's candidates are the target, drawn boxes, and the distractors.
                drawn = reading[:, 1:reading.shape[1] - crops.shape[1] + 1]
                reading = torch.cat([crops[:, :1], drawn, crops[:, 1:]], dim=1)
            return (1 + reading) / 2

        canvases = [sample.canvas for sample in samples]
        windows = stack_windows(canvases, boxes.device)
        return self.sampler.sample(boxes, windows, canvases[0].size, self.calls, semantics,
                                   stack_distractors(samples, boxes.device))

    def _compare_crops(self, targets: TeacherTargets) -> Tensor:
        """(B, 1 + n) cosines of the expression with the crops of the target and of the n other annotated boxes."""
        if targets.text is None or targets.region is None or targets.distractors is None:
            raise ValueError('read_crops needs text, region and distractors of the teacher')
        seen = torch.cat([targets.region[:, None], targets.distractors], dim=1)
        return torch.einsum('bnd,bd->bn', seen.float(), targets.text.float())

    def _warm_up(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        share = min(1.0, (self.calls + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        if self.training:
            self.calls += 1
        return losses if share == 1 else {name: share * value for name, value in losses.items()}

    def get_extra_state(self) -> Tensor:
        """The number of training calls, so that a resumed run goes on with warm-up and sampling where it stopped."""
        return torch.tensor(self.calls)

    def set_extra_state(self, state: Tensor) -> None:
        """Go on after so many training calls."""
        self.calls = int(state)


def _mean_without_padding(tokens: Tensor, padding: Tensor) -> Tensor:
    """Mean of (B, N, C) over the tokens that are not (B, N) padding."""
    weight = (~padding.to(tokens.device)).to(tokens.dtype)
    return torch.einsum('bnc,bn->bc', tokens, weight) / weight.sum(dim=1, keepdim=True).clamp(min=1)


def stack_distractors(samples: Samples, device: torch.device) -> Tensor | None:
    """(B, n, 4) cxcywh canvas boxes of the other annotated objects, filled up with boxes of no area; None without any."""
    rows = []
    for sample in samples:
        boxes = sample.distractors.bboxes if 'distractors' in sample else torch.zeros(0, 4)
        rows.append(sample.canvas.to_canvas(boxes.float().cpu()))
    if not any(len(row) for row in rows):
        return None
    return nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device, non_blocking=True)
