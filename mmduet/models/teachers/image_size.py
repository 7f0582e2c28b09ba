"""Another resolution than the one an image tower was trained at."""
from typing import Any

from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from timm.layers import resample_abs_pos_embed
from timm.models.convnext import ConvNeXt
from timm.models.eva import Eva
from timm.models.fastvit import FastVit
from timm.models.vision_transformer import VisionTransformer as TimmVisionTransformer
from torch import Tensor, nn

RESNET_STRIDE = 32


def set_image_size(visual: Any, size: int) -> None:
    """Let an image tower take ``size`` x ``size`` pixels, by bicubic interpolation of its position embeddings, in place.

    Convolutional towers have none. At its own size a tower stays as it is.

    Args:
        visual: image tower of an open_clip model.
        size: pixels.

    Raises:
        ValueError: no multiple of the tower's patch or stride.
        NotImplementedError: it is not known how this tower takes another size.
    """
    own = visual.image_size
    if own in (size, (size, size)):
        return
    trunk = visual.trunk if isinstance(visual, TimmModel) else visual
    stride = _stride(trunk)
    if size < stride or size % stride:
        raise ValueError(f'image_size must be a multiple of {stride} pixels for this {type(trunk).__name__}, got {size}')
    side = size // stride
    if isinstance(trunk, ModifiedResNet):
        trunk.attnpool.positional_embedding = _resample(trunk.attnpool.positional_embedding, own // stride, side)
    elif isinstance(trunk, VisionTransformer):
        trunk.positional_embedding = _resample(trunk.positional_embedding, trunk.grid_size[0], side)
        trunk.grid_size = (side, side)
    elif not isinstance(trunk, ConvNeXt | FastVit):
        trunk.set_input_size(img_size=(size, size))
    visual.image_size = size if isinstance(own, int) else (size, size)


def _stride(trunk: Any) -> int:
    """Pixels between two patches."""
    if isinstance(trunk, ModifiedResNet):
        return RESNET_STRIDE
    if isinstance(trunk, VisionTransformer):
        return int(trunk.patch_size[0])
    if isinstance(trunk, ConvNeXt | FastVit):
        return int(trunk.feature_info[-1]['reduction'])
    pool = getattr(trunk, 'attn_pool', None)
    if isinstance(trunk, TimmVisionTransformer | Eva) and getattr(pool, 'pos_embed', None) is None:
        return int(trunk.patch_embed.patch_size[0])
    raise NotImplementedError(f'it is not known how this {type(trunk).__name__} takes images of another size: leave '
                              'image_size out, or take a ViT, EVA, ResNet, ConvNeXt or FastViT tower of open_clip')


def _resample(positions: Tensor, before: int, after: int) -> nn.Parameter:
    """(after^2 + 1, C) of (before^2 + 1, C) position embeddings, of which the first is the class token's."""
    resampled = resample_abs_pos_embed(positions.detach()[None], [after, after], [before, before], num_prefix_tokens=1)
    return nn.Parameter(resampled[0], requires_grad=positions.requires_grad)
