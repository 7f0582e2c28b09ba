"""From what the workers deliver to one ``GroundingBatch`` on the model's device."""
from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmduet.models import batching
from mmduet.models.layers.kept_tokens import count_kept
from mmduet.models.layers.tokenizers import Tokenizer
from mmduet.models.moving import move_together
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, TargetIdentity, padding_mask, stack_contents

BOOLEANS = ('text_padding', 'has_box', 'has_other', 'whole')


@MODELS.register_module()
class GroundingDataPreprocessor(BaseDataPreprocessor):
    """Make the batch: images on normalised zero canvases, token ids, targets, by three copies to the device.

    Images travel as bytes. Expressions whose image is one tensor, or by ``image_index`` the same, share it: in evaluation all
    about an image, in training those of a group (``ImageGroupSampler``), so that it is encoded once for all of them. Batch norm
    then counts it once.

    Under autocast the canvases come in its type, for a student whose first layer would cast them to it (``convolves_pixels``):
    they are normalised in float32 and rounded once, as by that cast, in one pass and without a float32 copy.

    Args:
        mean, std: RGB statistics in [0, 1]; ImageNet's by default.
        encode_padding: let students encode visual tokens that are padding, too. Those that can leave them out give the same
            boxes, losses and gradients either way (dropout draws other numbers).

    >>> import torch
    >>> from mmdet.structures import DetDataSample
    >>> from mmduet.models import GroundingDataPreprocessor
    >>> from mmduet.structures import Canvas
    >>> canvas = Canvas(size=64, left=0, top=8, width=64, height=48, scale_x=0.5, scale_y=0.5)
    >>> samples = [DetDataSample(metainfo=dict(text=text, img_path='a.jpg', canvas=canvas, ori_shape=(96, 128)))
    ...            for text in ('the red cup', 'the left one')]
    >>> image = torch.zeros(3, 48, 64, dtype=torch.uint8)
    >>> batch = GroundingDataPreprocessor()(dict(inputs=[image, image], data_samples=samples))['batch']
    >>> len(batch), tuple(batch.pixels.shape), batch.image_index.tolist(), batch.content.tolist()
    (2, (1, 3, 64, 64), [0, 0], [[0, 8, 64, 56]])
    """

    mean: Tensor
    std: Tensor
    scale: Tensor  # what a byte is multiplied by, and what is added
    shift: Tensor

    def __init__(self, mean: Sequence[float] = (0.485, 0.456, 0.406), std: Sequence[float] = (0.229, 0.224, 0.225),
                 encode_padding: bool = False) -> None:
        super().__init__()
        self.register_buffer('mean', torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(3, 1, 1), persistent=False)
        exact = self.mean.double(), self.std.double()
        self.register_buffer('scale', (1 / (255 * exact[1])).float(), persistent=False)
        self.register_buffer('shift', (-exact[0] / exact[1]).float(), persistent=False)
        self.casts_pixels = False  # for a student that would cast them
        # The student's, which sets it, for where the workers did not make token ids; None for a student of texts.
        self.tokenizer: Tokenizer | None = None
        # Likewise the student's; None where all visual tokens are encoded.
        self.visual_padding: Callable[[Tensor, int], Tensor] | None = None
        self.encode_padding = encode_padding
        self.marks_sizes = False  # for a model that is compiled

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Turn what ``grounding_collate`` made into ``{'batch': GroundingBatch}``.

        Args:
            data: ``inputs``, (U, 3, S, S) uint8 RGB canvases, or a list of (3, h, w) uint8 RGB images; ``data_samples``, of
                the B expressions; ``image_index``, the image of each, left out where U = B or where images of the list are
                one tensor.
            training: whether every expression must have a target.

        Raises:
            ValueError: an image does not fit its canvas, or, in training, an expression has no target; names it.
        """
        samples = data['data_samples']
        canvases, owner, first = batching.find_images(data['inputs'], samples, data.get('image_index'))
        shown = [samples[number] for number in first]
        targets, others = batching.place_boxes(samples, required=training)
        per_image, has_other, listed = batching.group_others(others, samples, owner, len(canvases))
        boxes, has_box = batching.stack_rows(targets)
        identity, text = batching.identify(samples), self._tokenize(samples)
        content, index = stack_contents([sample.canvas for sample in shown]), torch.tensor(owner)
        numbers = move_together({'boxes': boxes, 'other_boxes': batching.stack_rows(per_image)[0],
                                 'identity_boxes': identity.pop('boxes')}, torch.float32, self.device)
        integers = move_together({'image_index': index, 'content': content, **text, 'has_box': has_box, 'has_other': has_other,
                                  'other_number': batching.number_others(listed, has_other.shape[1]), **identity,
                                  **batching.find_targets(targets, owner)}, torch.int64, self.device)
        integers.update({name: integers[name].bool() for name in BOOLEANS if name in integers})
        size, kind = canvases.shape[-1], self._kind_of_pixels()
        canvases = canvases.to(self.device, non_blocking=True)
        kept_of_images, kept_of_expressions = self._count_kept(content, size, owner)
        batch = GroundingBatch(
            pixels=self.normalise(canvases, integers['content'], kind), canvases=None if kind == torch.float32 else canvases,
            identity=TargetIdentity(image=integers.pop('image'), boxes=numbers.pop('identity_boxes'),
                                    whole=integers.pop('whole'), view=integers.pop('view')),
            owner=tuple(owner), texts=tuple(sample.text for sample in samples), token_ids=integers.pop('token_ids', None),
            text_padding=integers.pop('text_padding', None), **numbers, **integers,
            views=tuple(batching.view_of(sample) for sample in shown),
            sources=tuple(batching.source_of(*pair) for pair in zip(samples, listed, strict=True)),
            samples=samples, mean=self.mean, std=self.std,
            has_padding=any(sample.canvas.width < size or sample.canvas.height < size for sample in shown),
            kept_of_images=kept_of_images, kept_of_expressions=kept_of_expressions)
        return {'batch': batching.mark_sizes(batch) if self.marks_sizes else batch}

    def _count_kept(self, content: Tensor, size: int, owner: Sequence[int]) -> tuple[tuple[int, ...] | None, ...]:
        """How many visual tokens of the images, of (U, 4) content on the host, and of the expressions' are encoded."""
        if self.encode_padding or self.visual_padding is None:
            return None, None
        padding = self.visual_padding(content, size)
        kept = count_kept(padding)
        return kept, kept if kept is None or len(owner) == len(padding) else count_kept(padding[torch.tensor(owner)])

    def _tokenize(self, samples: Sequence[Any]) -> dict[str, Tensor]:
        """``token_ids`` and ``text_padding``; the workers' ids where all samples have them."""
        if self.tokenizer is None:
            return {}
        rows = [sample.get('token_ids') or self.tokenizer.encode(sample.text) for sample in samples]
        return dict(zip(('token_ids', 'text_padding'), self.tokenizer.pad(rows), strict=True))

    def _kind_of_pixels(self) -> torch.dtype:
        device = self.device.type
        mixed = self.casts_pixels and torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
        return torch.get_autocast_dtype(device) if mixed else torch.float32

    def normalise(self, canvases: Tensor, content: Tensor, kind: torch.dtype = torch.float32) -> Tensor:
        """(U, 3, S, S) uint8 canvases to normalised ones of a floating type, in channels-last order, 0 at padding."""
        padding = padding_mask(content, canvases.shape[-1])
        # One kernel on a GPU, from bytes to the type: what it computes with is float32.
        pixels = torch.empty(canvases.shape, dtype=kind, device=canvases.device, memory_format=torch.channels_last)
        torch.addcmul(self.shift, canvases, self.scale, out=pixels)
        return pixels.masked_fill_(padding[:, None], 0)
