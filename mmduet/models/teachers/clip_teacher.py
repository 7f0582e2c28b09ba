"""Any open_clip model as a frozen teacher."""
from collections.abc import Sequence, Set

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.base_grounder import Samples
from mmduet.models.teachers.crops import crop_and_resize, enlarge_within
from mmduet.models.teachers.dense_reading import find_dense_reader
from mmduet.models.teachers.open_clip_models import build_open_clip
from mmduet.models.teachers.text_reading import encode_texts
from mmduet.registry import MODELS
from mmduet.structures import TeacherTargets, stack_windows

PRECISIONS = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


@MODELS.register_module()
class CLIPTeacher(nn.Module):
    """CLIP's view of a batch: expressions, target crops, photos and patches in one space.

    Frozen and always in eval mode. It computes in its own precision whatever the autocast around it, and answers in float32.

    Args:
        model: name of the architecture in open_clip or in ``model_config``.
        pretrained: a tag of open_clip, or a ``.safetensors`` or ``.pt`` file (a relative path is looked for in the working
            directory, then beside the package). None for random weights of the same geometry.
        model_config: JSON file of a model that open_clip does not know, in its format.
        context: the crop of a target is its box with width and height times this, as far as the photo goes.
        precision: 'float32', 'bfloat16' or 'float16', of weights and activations.
        mean, std: RGB statistics; None takes those the weights were trained with.

    Raises:
        ValueError, FileNotFoundError, RuntimeError: see ``build_open_clip``; or an unknown precision.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: str = 'ViT-B-16', pretrained: str | None = None, model_config: str | None = None,
                 context: float = 1.2, precision: str = 'float32', mean: Sequence[float] | None = None,
                 std: Sequence[float] | None = None) -> None:
        super().__init__()
        if precision not in PRECISIONS:
            raise ValueError(f'precision must be one of {", ".join(PRECISIONS)}, got {precision!r}')
        if context <= 0:
            raise ValueError(f'context must be positive, got {context}')
        built = build_open_clip(model, pretrained, model_config)
        self.clip = built.clip.to(PRECISIONS[precision]).requires_grad_(False)
        self.tokenize = built.tokenize
        self.embed_dims = built.embed_dims
        self.image_size = built.image_size
        self.interpolation = built.interpolation
        self.context = context
        self.register_buffer('mean', torch.tensor(mean or built.mean).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std or built.std).view(3, 1, 1), persistent=False)
        self.eval()

    def train(self, mode: bool = True) -> 'CLIPTeacher':
        """Stay in eval mode, whatever is asked."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor, samples: Samples, boxes: Tensor, needs: Set[str]) -> TeacherTargets:
        """Answer what is needed about B expressions.

        Args:
            images: (B, 3, S, S) RGB in [0, 1], photos on their canvases.
            samples: their ``text`` and ``canvas`` are read.
            boxes: (B, 4) targets, cxcywh in [0, 1] of the canvas.
            needs: names of fields of ``TeacherTargets``.

        Raises:
            NotImplementedError: patches of a tower that has no dense reading.
        """
        with torch.autocast(images.device.type, enabled=False):
            text = self.embed_texts([sample.text for sample in samples]) if 'text' in needs else None
            seen = self._look(images.float(), stack_windows([sample.canvas for sample in samples], images.device),
                              boxes.float(), needs)
        return TeacherTargets(text=text, **seen)

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """(N, D) float32 unit-norm embeddings; a text that occurs twice is computed once."""
        distinct = list(dict.fromkeys(texts))
        place = {text: index for index, text in enumerate(distinct)}
        embeddings = encode_texts(self.clip, self.tokenize(distinct), self.mean.device)
        return F.normalize(embeddings.float(), dim=-1)[[place[text] for text in texts]]

    @torch.no_grad()
    def embed_images(self, images: Tensor, dense: int = 0) -> tuple[Tensor, Tensor | None]:
        """Embed images of the tower's own size.

        Args:
            images: (N, 3, H, W) RGB in [0, 1].
            dense: patches are read of the first so many.

        Returns:
            (N, D) and, if ``dense``, (dense, D, h, w) embeddings, float32, of unit norm.
        """
        pixels = ((images - self.mean) / self.std).to(self.clip.logit_scale.dtype)
        if not dense:
            return F.normalize(self.clip.encode_image(pixels).float(), dim=-1), None
        embeddings, patches = find_dense_reader(self.clip.visual)(self.clip.visual, pixels, dense)
        return F.normalize(embeddings.float(), dim=-1), F.normalize(patches.float(), dim=1)

    def _look(self, images: Tensor, windows: Tensor, boxes: Tensor, needs: Set[str]) -> dict[str, Tensor | None]:
        """Whole photos and crops go through the tower together."""
        batch, views = len(images), []
        if needs & {'image', 'patches'}:
            views.append(crop_and_resize(images, windows.float(), self.image_size, self.interpolation))
        if 'region' in needs:
            corners = enlarge_within(boxes, windows, images.shape[-1], self.context)
            views.append(crop_and_resize(images, corners, self.image_size, self.interpolation))
        if not views:
            return {}
        embeddings, patches = self.embed_images(torch.cat(views), batch if 'patches' in needs else 0)
        return {'image': embeddings[:batch] if 'image' in needs else None, 'patches': patches,
                'region': embeddings[-batch:] if 'region' in needs else None}
