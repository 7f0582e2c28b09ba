"""The two towers of a CLIP, frozen, as encoders of a student that takes their tokens and not their embeddings.

open_clip, whose import takes longer than that of all students together, is imported when a tower is built.
"""
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmduet.io.files import find_file
from mmduet.models.layers.tokenizers import CLIPTokenizer, WordPieceTokenizer
from mmduet.registry import MODELS


@MODELS.register_module()
class CLIPVisualEncoder(nn.Module):
    """Visual tokens from several blocks of CLIP's vision transformer, side by side.

    Frozen but for the positions, as in CLIP-VG: they were learnt on images that fill the square, not on a canvas.

    Args:
        image_size, patch_size: side of the canvas and of a patch, pixels; the first is a multiple of the second.
        width, num_layers, heads, mlp_ratio: of the transformer; its width is D.
        levels: which blocks give tokens, counted from 1; those after the last are left out of the computation.
        quick_gelu: the activation of OpenAI's weights; False for ``nn.GELU``.

    Raises:
        ValueError: there is no such block, or the patches do not fill the canvas.
    """

    def __init__(self, image_size: int = 224, patch_size: int = 16, width: int = 768, num_layers: int = 12, heads: int = 12,
                 mlp_ratio: float = 4.0, levels: Sequence[int] = (1, 4, 8, 12), quick_gelu: bool = True) -> None:
        super().__init__()
        if image_size % patch_size:
            raise ValueError(f'patches of {patch_size} px do not fill a canvas of {image_size} px')
        if not levels or not all(1 <= level <= num_layers for level in levels) or list(levels) != sorted(set(levels)):
            raise ValueError(f'levels must rise from 1 to at most {num_layers}, got {list(levels)}')
        from open_clip.transformer import QuickGELU, VisionTransformer
        self.tower = VisionTransformer(image_size, patch_size, width, num_layers, heads, mlp_ratio,
                                       act_layer=QuickGELU if quick_gelu else nn.GELU)
        # What makes an embedding of the image, which is not needed.
        self.tower.ln_post = nn.Identity()
        self.tower.proj = None
        self.tower.requires_grad_(False)
        self.tower.positional_embedding.requires_grad_(True)
        self.levels = [level - 1 for level in levels]
        self.channels = width * len(levels)
        self.feature_size = image_size // patch_size
        self.image_size = image_size

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, 1 + feature_size * feature_size, D * levels) class token and patches of (B, 3, S, S) normalised canvases.

        Raises:
            ValueError: canvases of another size.
        """
        if tuple(inputs.shape[-2:]) != (self.image_size, self.image_size):
            raise ValueError(f'canvases of {tuple(inputs.shape[-2:])} px for a CLIP with positions for {self.image_size} px: '
                             'set visual_encoder.image_size to the size of the canvas')
        output = self.tower.forward_intermediates(inputs, indices=self.levels, stop_early=True, intermediates_only=True,
                                                output_fmt='NLC', output_extra_tokens=True)
        return torch.cat([torch.cat(output['image_intermediates_prefix'], dim=-1),
                          torch.cat(output['image_intermediates'], dim=-1)], dim=1)


@MODELS.register_module()
class CLIPTextEncoder(nn.Module):
    """Text tokens from CLIP's text transformer, normalised and projected to the joint space. Frozen.

    A token attends to those before it only, so a sequence cut to the longest of the batch gives the same tokens.

    Args:
        max_tokens: L, marks included.
        width, num_layers, heads, mlp_ratio: of the transformer.
        channels: of the joint space.
        quick_gelu: the activation of OpenAI's weights; False for ``nn.GELU``.
        vocab: path of a vocabulary of word pieces; None for CLIP's own, which comes with open_clip.
    """

    def __init__(self, max_tokens: int = 77, width: int = 512, num_layers: int = 12, heads: int = 8, mlp_ratio: float = 4.0,
                 channels: int = 512, quick_gelu: bool = True, vocab: str | None = None) -> None:
        super().__init__()
        self.tokenizer = CLIPTokenizer(max_tokens) if vocab is None else WordPieceTokenizer(find_file(vocab), max_tokens)
        from open_clip.transformer import QuickGELU, TextTransformer
        self.tower = TextTransformer(max_tokens, self.tokenizer.vocab_size, width, heads, num_layers, mlp_ratio,
                                     output_dim=channels, act_layer=QuickGELU if quick_gelu else nn.GELU)
        self.tower.requires_grad_(False)
        self.channels = channels
        self.max_tokens = max_tokens

    def forward(self, token_ids: Tensor) -> Tensor:
        """Encode (B, L') ids to (B, L', channels); tokens at padding are meaningless."""
        tower: Any = self.tower
        # By indices: a slice of all rows is another case than one of some, and a graph of any length has none.
        used = torch.arange(token_ids.shape[1], device=token_ids.device)
        tokens = tower.token_embedding(token_ids) + tower.positional_embedding[used]
        tokens = tower.transformer(tokens, attn_mask=tower.attn_mask[used][:, used])
        return tower.ln_final(tokens) @ tower.text_projection
