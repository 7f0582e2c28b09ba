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

    Frozen and always in eval mode; PyTorch's generator is left as it was. It computes in its own precision whatever the
    autocast around it, and answers in float32.

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
        # A head that is built after it must start as it does beside a teacher that draws nothing.
        with torch.random.fork_rng(devices=[]):
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
            samples: their ``text``, ``canvas`` and ``distractors`` are read.
            boxes: (B, 4) targets, cxcywh in [0, 1] of the canvas.
            needs: names of fields of ``TeacherTargets``.

        Raises:
            NotImplementedError: patches of a tower that has no dense reading.
        """
        with torch.autocast(images.device.type, enabled=False):
            text = self.embed_texts([sample.text for sample in samples]) if needs & {'text', 'similarity'} else None
            seen = self._look(images.float(), samples, boxes.float(), needs)
            similarity = None
            if text is not None and 'similarity' in needs:
                similarity = torch.einsum('bdhw,bd->bhw', seen['patches'], text)
        kept = {name: value for name, value in seen.items() if name in needs}
        return TeacherTargets(text=text if 'text' in needs else None, similarity=similarity, **kept)

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

    def _look(self, images: Tensor, samples: Samples, boxes: Tensor, needs: Set[str]) -> dict[str, Tensor]:
        """Whole photos and crops go through the tower together."""
        windows, batch = stack_windows([sample.canvas for sample in samples], images.device), len(images)
        views: dict[str, Tensor] = {}
        if needs & {'image', 'patches', 'similarity'}:
            views['image'] = crop_and_resize(images, windows.float(), self.image_size, self.interpolation)
        if 'region' in needs:
            views['region'] = self._crop(images, boxes, windows)
        others, places = _list_distractors(samples if 'distractors' in needs else [], images.device)
        if len(others):
            views['others'] = self._crop(images[places[:, 0]], others, windows[places[:, 0]])
        seen: dict[str, Tensor] = {}
        if views:
            dense = batch if needs & {'patches', 'similarity'} else 0
            embeddings, patches = self.embed_images(torch.cat(list(views.values())), dense)
            seen.update(zip(views, embeddings.split([len(view) for view in views.values()]), strict=True))
            if patches is not None:
                seen['patches'] = patches
        if 'distractors' in needs:
            most = max((len(sample.distractors.bboxes) for sample in samples if 'distractors' in sample), default=0)
            seen['distractors'] = boxes.new_zeros(batch, most, self.embed_dims)
            if len(others):
                seen['distractors'][places[:, 0], places[:, 1]] = seen['others']
        return seen

    def _crop(self, images: Tensor, boxes: Tensor, windows: Tensor) -> Tensor:
        corners = enlarge_within(boxes, windows, images.shape[-1], self.context)
        return crop_and_resize(images, corners, self.image_size, self.interpolation)


def _list_distractors(samples: Samples, device: torch.device) -> tuple[Tensor, Tensor]:
    """All distractors with an area: (N, 4) cxcywh canvas boxes, and (N, 2) which sample's and which of its list."""
    boxes, places = [torch.zeros(0, 4)], [torch.zeros(0, 2, dtype=torch.int64)]
    for number, sample in enumerate(samples):
        if 'distractors' in sample:
            corners = sample.distractors.bboxes.float().cpu()
            index = (corners[:, 2:] > corners[:, :2]).all(dim=1).nonzero()
            boxes.append(sample.canvas.to_canvas(corners[index[:, 0]]))
            places.append(torch.cat([torch.full_like(index, number), index], dim=1))
    return torch.cat(boxes).to(device, non_blocking=True), torch.cat(places).to(device, non_blocking=True)
