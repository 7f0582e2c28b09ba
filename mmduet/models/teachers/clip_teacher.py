"""Any open_clip model as a frozen teacher."""
from collections.abc import Sequence, Set

import torch
import torch.nn.functional as F
from torch import Tensor

from mmduet.models.base_teacher import BaseTeacher
from mmduet.models.teachers.crops import crop_and_resize, enlarge_within
from mmduet.models.teachers.open_clip_models import build_open_clip
from mmduet.models.teachers.patch_features import find_patch_encoder, has_patch_encoder
from mmduet.models.teachers.text_features import encode_texts
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, TeacherTargets

NEEDS_PATCHES = frozenset({'patches', 'similarity'})
PRECISIONS = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


@MODELS.register_module()
class CLIPTeacher(BaseTeacher):
    """CLIP's embeddings of a batch: expressions, target crops, images and patches in one space.

    PyTorch's generator is left as it was. The teacher computes in its own precision whatever the autocast around it, and gives
    float32.

    Args:
        model: name of the architecture in open_clip or in ``model_config``.
        pretrained: a tag of open_clip, or a ``.safetensors`` or ``.pt`` file (a relative path is looked for in the working
            directory, then beside the package). None for random weights of the same geometry.
        model_config: JSON file of a model that open_clip does not know, in its format.
        crop_scale: the crop of a target is its box with width and height times this, as far as the image goes.
        precision: 'float32', 'bfloat16' or 'float16', of weights and activations.
        mean, std: RGB statistics; None takes those the weights were trained with.

    Raises:
        ValueError, FileNotFoundError, RuntimeError: see ``build_open_clip``; or an unknown precision.

    >>> from mmduet.engine.config_tools import load_config
    >>> from mmduet.registry import MODELS
    >>> teacher = MODELS.build(load_config('configs/duet/transvg_duet_refshapes.py').model.teacher)
    >>> teacher.embed_dims, 'similarity' in teacher.gives
    (64, True)
    >>> tuple(teacher.embed_texts(['the red ball', 'the leftmost star']).shape)
    (2, 64)
    """

    embed_dims: int
    mean: Tensor
    std: Tensor
    logit_scale: Tensor
    logit_bias: Tensor | None

    def __init__(self, model: str = 'ViT-B-16', pretrained: str | None = None, model_config: str | None = None,
                 crop_scale: float = 1.2, precision: str = 'float32', mean: Sequence[float] | None = None,
                 std: Sequence[float] | None = None) -> None:
        super().__init__()
        if precision not in PRECISIONS:
            raise ValueError(f'precision must be one of {", ".join(PRECISIONS)}, got {precision!r}')
        if crop_scale <= 0:
            raise ValueError(f'crop_scale must be positive, got {crop_scale}')
        # A head that is built after it must start as it does beside a teacher that draws nothing.
        with torch.random.fork_rng(devices=[]):
            built = build_open_clip(model, pretrained, model_config)
        # Taken in float32: in bfloat16 a scale of 100 would be off by up to half a unit.
        self.register_buffer('logit_scale', built.clip.logit_scale.detach().exp().reshape(()), persistent=False)
        bias = getattr(built.clip, 'logit_bias', None)  # not every model of open_clip has the attribute
        self.register_buffer('logit_bias', None if bias is None else bias.detach().clone().reshape(()), persistent=False)
        self.clip = built.clip.to(PRECISIONS[precision]).requires_grad_(False)
        self.tokenize = built.tokenize
        self.embed_dims = built.embed_dims
        self.gives = frozenset({'text', 'region', 'image', 'others', 'logit_scale'})
        if has_patch_encoder(self.clip.visual):
            self.gives |= NEEDS_PATCHES
        if self.logit_bias is not None:
            self.gives |= {'logit_bias'}
        self.image_size = built.image_size
        self.interpolation = built.interpolation
        self.crop_scale = crop_scale
        self.register_buffer('mean', torch.tensor(mean or built.mean).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std or built.std).view(3, 1, 1), persistent=False)
        self.eval()

    @torch.no_grad()
    def forward(self, batch: GroundingBatch, required: Set[str]) -> TeacherTargets:
        """See ``BaseTeacher.forward``; the texts, images, targets and other boxes of the batch are used."""
        with torch.autocast(batch.pixels.device.type, enabled=False):
            given = self._encode_images(batch, required)
            if required & {'text', 'similarity'}:
                given['text'] = self.embed_texts(batch.texts)
            if 'similarity' in required:
                given['similarity'] = torch.einsum('bdhw,bd->bhw', batch.expand(given['patches']), given['text'])
            given['logit_scale'] = self.logit_scale.float()
            if self.logit_bias is not None:
                given['logit_bias'] = self.logit_bias.float()
        return TeacherTargets(**{name: value for name, value in given.items() if name in required})

    # Texts are cut into tokens, and how long they are is read, on the host: nothing that a graph could hold.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """(N, D) float32 unit-norm embeddings; a text that occurs twice is computed once."""
        distinct = list(dict.fromkeys(texts))
        row = {text: index for index, text in enumerate(distinct)}
        embeddings = encode_texts(self.clip, self.tokenize(distinct), self.mean.device)
        return F.normalize(embeddings.float(), dim=-1)[[row[text] for text in texts]]

    @torch.no_grad()
    def embed_images(self, images: Tensor, patches_of: int = 0) -> tuple[Tensor, Tensor | None]:
        """(N, D) embeddings of (N, 3, H, W) RGB images in [0, 1] of the tower's own size, float32, of unit norm.

        Also the (n, D, h, w) patch features of the first n = ``patches_of``, likewise; None for 0.
        """
        pixels = ((images - self.mean) / self.std).to(self.clip.logit_scale.dtype)
        if not patches_of:
            return F.normalize(self.clip.encode_image(pixels).float(), dim=-1), None
        embeddings, patches = find_patch_encoder(self.clip.visual)(self.clip.visual, pixels, patches_of)
        return F.normalize(embeddings.float(), dim=-1), F.normalize(patches.float(), dim=1)

    def _encode_images(self, batch: GroundingBatch, required: Set[str]) -> dict[str, Tensor]:
        """Whole images and crops go through the tower together."""
        views: dict[str, Tensor] = {}
        images = batch.images() if required & {'image', 'region', 'others', *NEEDS_PATCHES} else batch.pixels[:0]
        if required & {'image', *NEEDS_PATCHES}:
            views['image'] = crop_and_resize(images, batch.content.float(), self.image_size, self.interpolation)
        if 'region' in required:
            views['region'] = self._crop(batch.expand(images), batch.target_boxes, batch.expand(batch.content))
        count = batch.other_boxes.shape[1] if 'others' in required else 0
        if count:
            # Boxes of no area are cropped too, so that nothing waits for the device to say which they are.
            views['others'] = self._crop(images.repeat_interleave(count, dim=0), batch.other_boxes.flatten(0, 1),
                                         batch.content.repeat_interleave(count, dim=0))
        given: dict[str, Tensor] = {}
        if views:
            embeddings, patches = self.embed_images(torch.cat(list(views.values())),
                                                    len(images) if required & NEEDS_PATCHES else 0)
            given.update(zip(views, embeddings.split([len(view) for view in views.values()]), strict=True))
            if patches is not None:
                given['patches'] = patches
        if 'image' in given:
            given['image'] = batch.expand(given['image'])
        if 'others' in required:
            visible = (batch.other_boxes[..., 2:] > 0).all(dim=-1, keepdim=True)
            embeddings = given.get('others', batch.pixels.new_zeros(0))
            given['others'] = embeddings.view(*batch.other_boxes.shape[:2], self.embed_dims) * visible
        return given

    def _crop(self, images: Tensor, boxes: Tensor, content: Tensor) -> Tensor:
        corners = enlarge_within(boxes, content, images.shape[-1], self.crop_scale)
        return crop_and_resize(images, corners, self.image_size, self.interpolation)
