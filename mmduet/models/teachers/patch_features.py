"""Embeddings of every patch in the joint space, without another forward pass: what the tower would say of that patch alone.

A tower that pools with a class token is read as MaskCLIP does (Zhou et al. 2022): the last block's value path. One that pools
with attention over its tokens is read through the value path of that pool, and one that takes their mean through what follows
the mean. In each, a patch goes unmixed with others from there on.
"""
from collections.abc import Callable
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

Reader = Callable[[Any, Tensor, int], tuple[Tensor, Tensor]]


def find_patch_encoder(visual: nn.Module) -> Reader:
    """Return the function that reads a tower densely.

    It takes the tower, (N, 3, H, W) normalised images and a number n, and returns the (N, D) embeddings of all images and
    the (n, D, h, w) patch embeddings of the first n, none of unit norm.

    Raises:
        NotImplementedError: there is no dense reading of this tower.
    """
    reader = _choose_reader(visual)
    if reader is None:
        tower = type(visual.trunk if isinstance(visual, TimmModel) else visual).__name__
        raise NotImplementedError(
            f'no dense reading is known of this {tower}: patches are read from the ViT, EVA, ResNet, ConvNeXt and FastViT '
            'towers of open_clip. Take such a model, or a sampler that reads no semantics (LocationSampler, RandomSampler).')
    return reader


def has_patch_encoder(visual: nn.Module) -> bool:
    """Whether ``find_patch_encoder`` finds one."""
    return _choose_reader(visual) is not None


def _choose_reader(visual: nn.Module) -> Reader | None:
    if isinstance(visual, ModifiedResNet):
        return _read_resnet
    if isinstance(visual, VisionTransformer):
        return _find_vit_reader(visual)
    if isinstance(visual, TimmModel) and 'pool' not in dict(visual.head.named_children()):
        return _find_timm_reader(visual.trunk)
    return None


def _find_vit_reader(visual: Any) -> Reader | None:
    if visual.attn_pool is not None:
        return _read_pooling_vit if visual.attn_pool_contrastive is None else None
    blocks = visual.transformer.resblocks
    return _read_vit if len(blocks) > 1 and isinstance(blocks[-1], ResidualAttentionBlock) else None


def _find_timm_reader(trunk: Any) -> Reader | None:
    if isinstance(trunk, ConvNeXt | FastVit):
        return _read_convolutional
    if not isinstance(trunk, TimmVisionTransformer | Eva):
        return None
    if trunk.attn_pool is not None:
        return _read_timm_tokens if isinstance(trunk.attn_pool, AttentionPoolLatent) else None
    if trunk.global_pool == 'avg':
        return _read_timm_tokens
    readable = trunk.global_pool == 'token' and len(trunk.blocks) > 1 and isinstance(trunk.blocks[-1], Block | EvaBlock)
    return _read_timm_values if readable else None


def _read_vit(visual: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The last block's value path through its output projection."""
    blocks = visual.transformer.resblocks
    output = visual.forward_intermediates(images, indices=[len(blocks) - 2], output_fmt='NLC')
    last, tokens = blocks[-1], output['image_intermediates'][0][:count]
    weight, bias = last.attn.in_proj_weight.chunk(3)[2], last.attn.in_proj_bias.chunk(3)[2]
    values = last.ls_1(last.attn.out_proj(F.linear(last.ln_1(tokens), weight, bias)))
    patches = visual.ln_post(values) @ visual.proj
    return output['image_features'], _to_map(patches, _grid(visual, images))


def _read_pooling_vit(visual: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The value path of CoCa's attentional pooler."""
    output = visual.forward_intermediates(images, indices=[len(visual.transformer.resblocks) - 1], output_fmt='NLC')
    pool, tokens = visual.attn_pool, output['image_intermediates'][0][:count]
    shared = pool.attn.in_proj_weight
    weight = pool.attn.v_proj_weight if shared is None else shared.chunk(3)[2]
    values = pool.attn.out_proj(F.linear(pool.ln_k(tokens), weight, pool.attn.in_proj_bias.chunk(3)[2]))
    return output['image_features'], _to_map(visual.ln_post(values) @ visual.proj, _grid(visual, images))


def _read_resnet(visual: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The attention pool's value and output projections at every cell."""
    output = visual.forward_intermediates(images, indices=[4])
    cells = output['image_intermediates'][0][:count]
    pool = visual.attnpool
    patches = pool.c_proj(pool.v_proj(cells.flatten(2).mT))
    return output['image_features'], patches.mT.unflatten(2, tuple(cells.shape[2:]))


def _read_timm_values(visual: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The last block's attention where every patch attends to itself alone, which is its value path."""
    trunk = visual.trunk
    output = visual.forward_intermediates(images, indices=[len(trunk.blocks) - 2], output_fmt='NLC')
    last, tokens = trunk.blocks[-1], output['image_intermediates'][0][:count]
    itself = torch.eye(tokens.shape[1], dtype=torch.bool, device=tokens.device)
    values = last.attn(last.norm1(tokens), attn_mask=itself)
    if isinstance(last, Block):
        values = last.ls1(values)
    elif last.gamma_1 is not None:
        values = last.gamma_1 * values
    return output['image_features'], _to_map(_finish(visual, trunk.norm(values)), _timm_grid(trunk, images))


def _read_timm_tokens(visual: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The last tokens through what follows the pool, and through the value path of the pool if that is attention."""
    trunk = visual.trunk
    output = visual.forward_intermediates(images, indices=[len(trunk.blocks) - 1], normalize_intermediates=True,
                                          output_fmt='NLC')
    tokens, pool = output['image_intermediates'][0][:count], trunk.attn_pool
    if pool is not None:
        tokens = pool.kv(tokens if pool.pos_embed is None else tokens + pool.pos_embed).chunk(2, dim=-1)[1]
        tokens = pool.proj(tokens)
        tokens = tokens if pool.mlp is None else tokens + pool.mlp(pool.norm(tokens))
    return output['image_features'], _to_map(_finish(visual, tokens), _timm_grid(trunk, images))


def _read_convolutional(visual: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Each cell of the last map through the head, as a map of one cell."""
    cells = visual.trunk.forward_features(images)
    embeddings = visual.head(visual.trunk.forward_head(cells))
    height, width = cells.shape[2:]
    single = cells[:count].permute(0, 2, 3, 1).flatten(0, 2)[:, :, None, None]
    patches = visual.head(visual.trunk.forward_head(single))
    return embeddings, patches.unflatten(0, (count, height, width)).permute(0, 3, 1, 2)


def _finish(visual: Any, tokens: Tensor) -> Tensor:
    """(n, L, D): what follows the pool, for each token."""
    trunk = visual.trunk
    embeddings: Tensor = visual.head(trunk.head(trunk.fc_norm(tokens)))
    return embeddings


def _grid(visual: Any, images: Tensor) -> tuple[int, int]:
    return images.shape[2] // visual.patch_size[0], images.shape[3] // visual.patch_size[1]


def _timm_grid(trunk: Any, images: Tensor) -> tuple[int, int]:
    height, width = trunk.patch_embed.dynamic_feat_size((images.shape[2], images.shape[3]))
    return height, width


def _to_map(patches: Tensor, grid: tuple[int, int]) -> Tensor:
    """(n, h * w, D) to (n, D, h, w)."""
    return patches.mT.reshape(patches.shape[0], patches.shape[2], *grid)
