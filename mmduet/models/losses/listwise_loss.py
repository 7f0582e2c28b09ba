"""A softmax over regions that is to be another."""
import torch
import torch.nn.functional as F
from torch import Tensor

from mmduet.models.losses.numerics import at_least_float32

# Far below any cosine over a temperature, and finite.
EXCLUDED = -1e4


def listwise_loss(logits: Tensor, shares: Tensor) -> Tensor:
    """Divergence KL(p || softmax(logits)) of the regions of each image, the mean over images.

    Args:
        logits: (B, K); ``EXCLUDED`` where there is no such region.
        shares: (B, K) >= 0, in proportion to p; an image in which all are 0 contributes 0.

    >>> import torch
    >>> from mmduet.models.losses.listwise_loss import listwise_loss
    >>> round(listwise_loss(torch.zeros(1, 4), torch.tensor([[1.0, 0.0, 0.0, 0.0]])).item(), 4)  # log 4
    1.3863
    """
    if logits.shape != shares.shape or logits.dim() != 2:
        raise ValueError(f'logits and shares must both be (B, K), got {tuple(logits.shape)} and {tuple(shares.shape)}')
    logits, shares = at_least_float32(logits), at_least_float32(shares)
    target = shares / shares.sum(dim=1, keepdim=True).clamp(min=torch.finfo(shares.dtype).tiny)
    return F.kl_div(logits.log_softmax(dim=1), target, reduction='batchmean')
