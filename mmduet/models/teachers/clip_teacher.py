"""Any open_clip model as a frozen teacher."""
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.device import get_device
from open_clip.transformer import QuickGELU
from torch import Tensor

from mmduet.models.base_teacher import BaseTeacher
from mmduet.models.moving import move
from mmduet.models.precision import choose_precision
from mmduet.models.teachers.centre import Centre
from mmduet.models.teachers.open_clip_models import build_open_clip
from mmduet.models.teachers.patch_features import find_patch_encoder, has_patch_encoder
from mmduet.models.teachers.region_views import CropView, PatchView, RegionView, Resize
from mmduet.models.teachers.text_features import encode_texts
from mmduet.models.teachers.weights_identity import identify_weights
from mmduet.registry import MODELS, TASK_UTILS
from mmduet.structures import GroundingBatch, TeacherTargets, expand_images

NEEDS_PATCHES = frozenset({'patches', 'similarity'})
PRECISIONS = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}
CROP: tuple[Mapping[str, Any], ...] = ({'type': CropView, 'scale': 1.2}, )


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
        views: how regions are shown to the tower, a ``RegionView`` or ``PatchView`` or its config each; of several the
            embedding is the normalised mean.
        prompts: templates of texts, each with one ``{}``; of several the embedding is the normalised mean.
        centre: file of means to subtract from the embeddings (see ``Centre``), which ``analyse_teacher.py`` writes.
        image_size: side of the square that the tower takes, pixels, where not that of training (see ``set_image_size``).
        precision: 'float32', 'bfloat16' or 'float16', of weights and activations; 'auto' for what fits the machine (see
            ``fitting_precision``). A cache made with 'auto' is read with 'auto', on whatever machine: it holds float16.
        mean, std: RGB statistics; None takes those the weights were trained with.
        quick_gelu: the activation of the weights; None for what the tag says, or what is known of the file (see
            ``build_open_clip``).

    Raises:
        ValueError, FileNotFoundError, RuntimeError: see ``build_open_clip`` and ``Centre``; an unknown precision; a
            template without exactly one ``{}``; no view.
        NotImplementedError: a ``PatchView`` of a tower whose patch features are not known.

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
                 views: Sequence[Mapping[str, Any] | RegionView | PatchView] = CROP, prompts: Sequence[str] = ('{}', ),
                 centre: str | Path | None = None, image_size: int | None = None, precision: str = 'float32',
                 mean: Sequence[float] | None = None, std: Sequence[float] | None = None,
                 quick_gelu: bool | None = None) -> None:
        super().__init__()
        if precision not in (*PRECISIONS, 'auto'):
            raise ValueError(f'precision must be one of {", ".join(PRECISIONS)}, auto, got {precision!r}')
        if not prompts or any(prompt.count('{}') != 1 for prompt in prompts):
            raise ValueError(f'every prompt must have one {{}}, got {list(prompts)}')
        if not views:
            raise ValueError('views must name one RegionView at least')
        # A head that is built after it must start as it does beside a teacher that draws nothing.
        with torch.random.fork_rng(devices=[]):
            built = build_open_clip(model, pretrained, model_config, image_size=image_size, quick_gelu=quick_gelu)
        # Taken in float32: in bfloat16 a scale of 100 would be off by up to half a unit.
        self.register_buffer('logit_scale', built.clip.logit_scale.detach().exp().reshape(()), persistent=False)
        bias = getattr(built.clip, 'logit_bias', None)  # not every model of open_clip has the attribute
        self.register_buffer('logit_bias', None if bias is None else bias.detach().clone().reshape(()), persistent=False)
        self.precision = choose_precision(precision, get_device(), 'the teacher')
        self.clip = built.clip.to(PRECISIONS[self.precision]).requires_grad_(False)
        self.tokenize = built.tokenize
        self.embed_dims = built.embed_dims
        self.gives = frozenset({'text', 'region', 'image', 'others', 'logit_scale'})
        if has_patch_encoder(self.clip.visual):
            self.gives |= NEEDS_PATCHES
        if self.logit_bias is not None:
            self.gives |= {'logit_bias'}
        self.image_size = built.image_size
        self.views: list[RegionView | PatchView] = [TASK_UTILS.build(dict(view)) if isinstance(view, Mapping) else view
                                                    for view in views]
        if any(isinstance(view, PatchView) for view in self.views):
            find_patch_encoder(self.clip.visual)
        self.prompts = list(prompts)
        self.resize = Resize(size=built.image_size, interpolation=built.interpolation)
        self.weights = pretrained
        self.model_name = model
        self.register_buffer('mean', torch.tensor(mean or built.mean).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std or built.std).view(3, 1, 1), persistent=False)
        self.centre = None if centre is None else Centre(centre, self.settings)
        if self.centre is not None:
            # The bias belongs to cosines that were not centred.
            self.logit_scale, self.logit_bias = self.centre.get_buffer('logit_scale'), None
            self.gives -= {'logit_bias'}
        self.eval()

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the mean of its embeddings, as plain values; a file of weights by what it holds."""
        return {'model': self.model_name, 'weights': identify_weights(self.weights),
                'quick_gelu': any(isinstance(module, QuickGELU) for module in self.clip.modules()),
                'mean': self.mean.flatten().tolist(), 'std': self.std.flatten().tolist(), 'size': list(self.resize.size),
                'prompts': self.prompts, 'views': [str(view) for view in self.views]}

    @property
    def shows_regions(self) -> bool:
        """Whether the tower looks at regions one by one, and not only at patches of whole images."""
        return any(isinstance(view, RegionView) for view in self.views)

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
        filled = [prompt.replace('{}', text) for prompt in self.prompts for text in distinct]
        embeddings = F.normalize(encode_texts(self.clip, self.tokenize(filled), self.mean.device).float(), dim=-1)
        given = self._centred('text', _average(embeddings, len(self.prompts)))
        if len(distinct) == len(texts):
            return given
        return given[move(torch.tensor([row[text] for text in texts]), given.device)]

    @torch.no_grad()
    def embed_images(self, images: Tensor, patches_of: int = 0) -> tuple[Tensor, Tensor | None]:
        """(N, D) embeddings of (N, 3, H, W) RGB images in [0, 1] of the tower's own size, float32, of unit norm.

        Also the (n, D, h, w) patch features of the first n = ``patches_of``, likewise; None for 0. Neither is centred.
        """
        pixels = ((images - self.mean) / self.std).to(self.clip.logit_scale.dtype)
        if not patches_of:
            return F.normalize(self.clip.encode_image(pixels).float(), dim=-1), None
        embeddings, patches = find_patch_encoder(self.clip.visual)(self.clip.visual, pixels, patches_of)
        return F.normalize(embeddings.float(), dim=-1), F.normalize(patches.float(), dim=1)

    @torch.no_grad()
    def embed_regions(self, images: Tensor, content: Tensor, regions: Mapping[str, tuple[Tensor, Tensor | None]],
                      whole: bool = False, dense: bool = False) -> dict[str, Tensor]:
        """Unit-norm embeddings of regions, and of their images, in one pass through the tower.

        Args:
            images: (U, 3, S, S) canvases in [0, 1].
            content: (U, 4) int xyxy pixels of the images on their canvases.
            regions: by name (N, 4) boxes, cxcywh in [0, 1] of the canvas, and (N,) the image of each; None where N = U.
            whole: also the ``image`` itself.
            dense: also its ``patches``.

        Returns:
            (N, D) by the names of ``regions``, (U, D) ``image`` and (U, D, h, w) ``patches``.
        """
        shown = [view for view in self.views if isinstance(view, RegionView)]
        pooled = [view for view in self.views if isinstance(view, PatchView)] if regions else []
        views = {'image': self.resize(images, content.float())} if whole or dense or pooled else {}
        for name, (boxes, owner) in regions.items() if shown else ():
            canvases, places = expand_images(images, owner), expand_images(content, owner)
            views[name] = torch.cat([view(canvases, boxes, places, self.resize) for view in shown])
        if not views:
            return {}
        embeddings, patches = self.embed_images(torch.cat(list(views.values())), len(images) if dense or pooled else 0)
        parts = dict(zip(views, embeddings.split([len(view) for view in views.values()]), strict=True))
        given = {'image': parts['image']} if whole else {}
        for name, (boxes, owner) in regions.items():
            ways = list(parts[name].unflatten(0, (len(shown), -1))) if shown else []
            for view in pooled:
                assert patches is not None
                ways.append(view.pool(expand_images(patches, owner), boxes, expand_images(content, owner), images.shape[-1]))
            given[name] = ways[0] if len(ways) == 1 else F.normalize(torch.stack(ways).mean(dim=0), dim=-1)
        if dense and patches is not None:
            given['patches'] = patches
        return {name: self._centred(name, value) for name, value in given.items()}

    def _encode_images(self, batch: GroundingBatch, required: Set[str]) -> dict[str, Tensor]:
        """What is required of whole images and regions."""
        images = batch.images() if required & {'image', 'region', 'others', *NEEDS_PATCHES} else batch.pixels[:0]
        regions: dict[str, tuple[Tensor, Tensor | None]] = {}
        if 'region' in required:
            # Several expressions of a group may be about one object, which is looked at once.
            alone = batch.shared_index is None and batch.first_of_target is None
            regions['region'] = batch.of_targets(batch.target_boxes), None if alone else batch.of_targets(batch.image_index)
        count = batch.other_boxes.shape[1] if 'others' in required else 0
        if count:
            # Boxes of no area are shown too, so that nothing waits for the device to say which they are.
            owner = torch.arange(len(images), device=images.device).repeat_interleave(count)
            regions['others'] = batch.other_boxes.flatten(0, 1), owner
        given = self.embed_regions(images, batch.content, regions, 'image' in required, bool(required & NEEDS_PATCHES))
        if 'image' in given:
            given['image'] = batch.expand(given['image'])
        if 'region' in given:
            given['region'] = batch.expand_targets(given['region'])
        if 'others' in required:
            visible = (batch.other_boxes[..., 2:] > 0).all(dim=-1, keepdim=True)
            embeddings = given.get('others', batch.mean.new_zeros(0))
            given['others'] = embeddings.view(*batch.other_boxes.shape[:2], self.embed_dims) * visible
        return given

    def _centred(self, name: str, embeddings: Tensor) -> Tensor:
        return embeddings if self.centre is None else self.centre(name, embeddings)


def _average(embeddings: Tensor, ways: int) -> Tensor:
    """(N, D) normalised means of the (ways * N, D) embeddings of N things in as many ways."""
    return embeddings if ways == 1 else F.normalize(embeddings.unflatten(0, (ways, -1)).mean(dim=0), dim=-1)
