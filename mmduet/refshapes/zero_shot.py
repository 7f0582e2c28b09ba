"""Grounding by a CLIP alone: the window of an image whose crop is most like the expression."""
import torch
import torch.nn.functional as F
from torch import Tensor

from mmduet.refshapes.clip_pretrainer import CLIPPretrainer

# Windows in pixels of a 64 px scene: objects of the standard level measure 10 to 25.
SIDES = (12, 16, 20, 24)
STRIDE = 5


def make_windows(size: int, sides: tuple[int, ...] = SIDES, stride: int = STRIDE) -> Tensor:
    """(K, 4) square windows, cxcywh in [0, 1], of all positions ``stride`` pixels apart in an image of ``size`` pixels.

    Raises:
        ValueError: a side is larger than the image or the stride is below 1.
    """
    if stride < 1 or not sides or not 1 <= min(sides) <= max(sides) <= size:
        raise ValueError(f'windows need a stride >= 1 and sides in 1 to {size}, got {stride} and {sides}')
    found = []
    for side in sides:
        centres = torch.arange(0, size - side + 1, stride, dtype=torch.float32) + side / 2
        y, x = torch.meshgrid(centres, centres, indexing='ij')
        found.append(torch.stack([x.flatten(), y.flatten(), *torch.full((2, x.numel()), float(side))], dim=1))
    return torch.cat(found) / size


@torch.no_grad()
def search(model: CLIPPretrainer, image: Tensor, expression: str, windows: Tensor) -> Tensor:
    """The best window.

    Args:
        model: with the weights to try.
        image: (3, S, S) uint8 RGB.
        expression: the words.
        windows: (K, 4) cxcywh in [0, 1].

    Returns:
        (4,) cxcywh in [0, 1].
    """
    crops = model.cut(image[None].float() / 255, windows, torch.zeros(len(windows), dtype=torch.long))
    embeddings = F.normalize(model.clip.encode_image((crops - model.mean) / model.std), dim=-1)
    return windows[(embeddings @ model.embed_text([expression])[0]).argmax().cpu()]
