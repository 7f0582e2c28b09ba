"""Embeddings of every patch in CLIP's joint space, without another forward pass (the MaskCLIP reading, Zhou et al. 2022)."""
from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn

Reader = Callable[[Any, Tensor, int], tuple[Tensor, Tensor]]


def find_dense_reader(visual: nn.Module) -> Reader:
    """Return the function that reads a tower densely.

    It takes the tower, (N, 3, H, W) normalised images and a number n, and returns the (N, D) embeddings of all images and
    the (n, D, h, w) patch embeddings of the first n, none of unit norm.

    Raises:
        NotImplementedError: there is no dense reading of this tower.
    """
    if isinstance(visual, ModifiedResNet):
        return _read_resnet
    if isinstance(visual, VisionTransformer):
        blocks = visual.transformer.resblocks
        if len(blocks) > 1 and isinstance(blocks[-1], ResidualAttentionBlock) and visual.attn_pool is None:
            return _read_vit
    raise NotImplementedError(
        f'no dense reading is known of this {type(visual).__name__}: patches are read from the ViT and ResNet towers of '
        'open_clip. Take such a model, or a sampler that reads no semantics (LocationSampler, RandomSampler).')


def _read_vit(visual: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The last block's value path through its output projection: every patch answers for itself, unmixed by attention."""
    blocks = visual.transformer.resblocks
    output = visual.forward_intermediates(images, indices=[len(blocks) - 2], output_fmt='NLC')
    last, tokens = blocks[-1], output['image_intermediates'][0][:count]
    weight, bias = last.attn.in_proj_weight.chunk(3)[2], last.attn.in_proj_bias.chunk(3)[2]
    values = last.ls_1(last.attn.out_proj(F.linear(last.ln_1(tokens), weight, bias)))
    patches = visual.ln_post(values) @ visual.proj
    grid = images.shape[2] // visual.patch_size[0], images.shape[3] // visual.patch_size[1]
    return output['image_features'], patches.mT.unflatten(2, grid)


def _read_resnet(visual: Any, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The attention pool's value and output projections at every cell."""
    output = visual.forward_intermediates(images, indices=[4])
    cells = output['image_intermediates'][0][:count]
    pool = visual.attnpool
    patches = pool.c_proj(pool.v_proj(cells.flatten(2).mT))
    return output['image_features'], patches.mT.unflatten(2, tuple(cells.shape[2:]))
