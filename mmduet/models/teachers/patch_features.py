"""Patch features: the embedding of every patch in the joint space, without another forward pass.

A tower that pools with a class token is used as MaskCLIP does (Zhou et al. 2022): the last block's value path. For one that
pools with attention over its tokens, the value path of that pool is used; for one that averages them, what follows the mean. In
each, a patch goes unmixed with others from there on.
"""
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from timm.layers import AttentionPoolLatent
from timm.models.convnext import ConvNeXt
from timm.models.eva import Eva, EvaBlock
from timm.models.fastvit import FastVit
from timm.models.vision_transformer import Block
from timm.models.vision_transformer import VisionTransformer as TimmVisionTransformer
from torch import Tensor, nn

PatchEncoder = Callable[[Any, Tensor, int], tuple[Tensor, Tensor]]


def find_patch_encoder(visual: nn.Module) -> PatchEncoder:
    """Return the function that computes a tower's patch features.

    It takes the tower, (N, 3, H, W) normalised images and a number n, and returns the (N, D) embeddings of all images and
    the (n, D, h, w) patch features of the first n, none of unit norm.

    Raises:
        NotImplementedError: no patch features are known of this tower.
    """
    encoder = _choose(visual)
    if encoder is None:
        tower = type(visual.trunk if isinstance(visual, TimmModel) else visual).__name__
        raise NotImplementedError(
            f'no patch features are known of this {tower}, only of the ViT, EVA, ResNet, ConvNeXt and FastViT towers of '
            'open_clip. Take such a model, or a contrast by location alone: one of the patches contrast_location, '
            'ranked_location and drawn_location.')
    return encoder


def has_patch_encoder(visual: nn.Module) -> bool:
    """Whether ``find_patch_encoder`` finds one."""
    return _choose(visual) is not None


def _choose(visual: Any) -> PatchEncoder | None:
    if isinstance(visual, ModifiedResNet):
        return _encode_resnet
    if isinstance(visual, VisionTransformer):
        if visual.attn_pool is not None:
            return _encode_pooling_vit if visual.attn_pool_contrastive is None else None
        blocks = visual.transformer.resblocks
        return _encode_vit if len(blocks) > 1 and isinstance(blocks[-1], ResidualAttentionBlock) else None
    if not isinstance(visual, TimmModel) or 'pool' in dict(visual.head.named_children()):
        return None
    trunk: Any = visual.trunk
    if isinstance(trunk, ConvNeXt | FastVit):
        return _encode_convolutional
    if not isinstance(trunk, TimmVisionTransformer | Eva):
        return None
    if isinstance(trunk.attn_pool, AttentionPoolLatent) or (trunk.attn_pool is None and trunk.global_pool == 'avg'):
        return _encode_timm_tokens
    by_values = trunk.attn_pool is None and trunk.global_pool == 'token' and len(trunk.blocks) > 1
    return _encode_timm_values if by_values and isinstance(trunk.blocks[-1], Block | EvaBlock) else None


def _tokens_of(visual: Any, images: Tensor, count: int, block: int, **options: Any) -> tuple[Tensor, Tensor]:
    """(N, D) embeddings of all images, and the first images' (n, L, C) tokens after a block."""
    output = visual.forward_intermediates(images, indices=[block], output_fmt='NLC', **options)
    return output['image_features'], output['image_intermediates'][0][:count]


def _encode_vit(visual: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The last block's value path through its output projection."""
    blocks = visual.transformer.resblocks
    embeddings, tokens = _tokens_of(visual, images, count, len(blocks) - 2)
    last = blocks[-1]
    weight, bias = last.attn.in_proj_weight.chunk(3)[2], last.attn.in_proj_bias.chunk(3)[2]
    values = last.ls_1(last.attn.out_proj(F.linear(last.ln_1(tokens), weight, bias)))
    return embeddings, _to_map(visual.ln_post(values) @ visual.proj, _feature_size(visual, images))


def _encode_pooling_vit(visual: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The value path of CoCa's attentional pooler."""
    embeddings, tokens = _tokens_of(visual, images, count, len(visual.transformer.resblocks) - 1)
    pool = visual.attn_pool
    shared = pool.attn.in_proj_weight
    weight = pool.attn.v_proj_weight if shared is None else shared.chunk(3)[2]
    values = pool.attn.out_proj(F.linear(pool.ln_k(tokens), weight, pool.attn.in_proj_bias.chunk(3)[2]))
    return embeddings, _to_map(visual.ln_post(values) @ visual.proj, _feature_size(visual, images))


def _encode_resnet(visual: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The attention pool's value and output projections at every position."""
    output = visual.forward_intermediates(images, indices=[4])
    last, pool = output['image_intermediates'][0][:count], visual.attnpool
    patches = pool.c_proj(pool.v_proj(last.flatten(2).mT))
    return output['image_features'], _to_map(patches, last.shape[2:])


def _encode_timm_values(visual: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The last block's attention where every patch attends to itself alone, which is its value path."""
    trunk = visual.trunk
    embeddings, tokens = _tokens_of(visual, images, count, len(trunk.blocks) - 2)
    last, itself = trunk.blocks[-1], torch.eye(tokens.shape[1], dtype=torch.bool, device=tokens.device)
    values = last.attn(last.norm1(tokens), attn_mask=itself)
    if isinstance(last, Block):
        values = last.ls1(values)
    elif last.gamma_1 is not None:
        values = last.gamma_1 * values
    return embeddings, _finish_timm(visual, trunk.norm(values), images)


def _encode_timm_tokens(visual: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The last tokens through what follows the pool, and through the value path of the pool if that is attention."""
    pool = visual.trunk.attn_pool
    embeddings, tokens = _tokens_of(visual, images, count, len(visual.trunk.blocks) - 1, normalize_intermediates=True)
    if pool is not None:
        tokens = pool.kv(tokens if pool.pos_embed is None else tokens + pool.pos_embed).chunk(2, dim=-1)[1]
        tokens = pool.proj(tokens)
        tokens = tokens if pool.mlp is None else tokens + pool.mlp(pool.norm(tokens))
    return embeddings, _finish_timm(visual, tokens, images)


def _encode_convolutional(visual: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Each position of the last map through the head, as a map of one."""
    last = visual.trunk.forward_features(images)
    embeddings = visual.head(visual.trunk.forward_head(last))
    single = last[:count].permute(0, 2, 3, 1).flatten(0, 2)[:, :, None, None]
    patches = visual.head(visual.trunk.forward_head(single))
    return embeddings, patches.unflatten(0, (count, *last.shape[2:])).permute(0, 3, 1, 2)


def _finish_timm(visual: Any, tokens: Tensor, images: Tensor) -> Tensor:
    """(n, D, h, w) of (n, L, C) tokens: each through what follows the pool."""
    trunk = visual.trunk
    return _to_map(visual.head(trunk.head(trunk.fc_norm(tokens))), trunk.patch_embed.dynamic_feat_size(tuple(images.shape[2:])))


def _feature_size(visual: Any, images: Tensor) -> tuple[int, int]:
    return images.shape[2] // visual.patch_size[0], images.shape[3] // visual.patch_size[1]


def _to_map(patches: Tensor, feature_size: Sequence[int]) -> Tensor:
    """(n, h * w, D) to (n, D, h, w)."""
    return patches.mT.unflatten(2, tuple(feature_size))
