"""Semantic distillation, of embeddings and of their relations; the terms are ours, as the DUET paper released no code."""
import torch
import torch.nn.functional as F
from torch import Tensor

from mmduet.models.losses.numerics import at_least_float32

# Far below any cosine over a temperature, and finite: masked pairs get probability 0 without 0 * inf.
EXCLUDED = -1e4


def cosine_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of 1 - cosine over paired (B, D) embeddings of any norm, in [0, 2].

    Raises:
        ValueError: shapes disagree.

    >>> import torch
    >>> from mmduet.models.losses.semantic_losses import cosine_distance
    >>> cosine_distance(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.0, 1.0], [0.0, 1.0]])).item()
    0.5
    """
    if student.shape != teacher.shape or student.dim() != 2:
        raise ValueError(f'paired embeddings must both be (B, D), got {tuple(student.shape)} and {tuple(teacher.shape)}')
    return (1 - F.cosine_similarity(at_least_float32(student), at_least_float32(teacher), dim=1)).mean()


def relation_logits(text: Tensor, region: Tensor, scale: Tensor | float, same: Tensor) -> Tensor:
    """(B, B) scaled cosines of each text with each region, float32 or finer; pairs of one object are excluded.

    Args:
        text, region: (B, D) of unit norm.
        scale: what the cosines are multiplied by.
        same: (B, B) bool, True for pairs that mean the same object: neither positive nor negative. The diagonal stays.
    """
    excluded = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
    return (at_least_float32(text) @ at_least_float32(region).T * scale).masked_fill(excluded, EXCLUDED)


def distance_to_uniform(logits: Tensor) -> Tensor:
    """Mean over rows, in nats, of how far the softmax of (B, N) logits is from uniform over what is not excluded.

    0 says nothing about which column belongs to a row; log N names one.

    >>> import torch
    >>> from mmduet.models.losses.semantic_losses import distance_to_uniform
    >>> round(distance_to_uniform(100 * torch.eye(64)).item(), 3), distance_to_uniform(torch.zeros(2, 2)).item()
    (4.159, 0.0)
    """
    log_share = logits.log_softmax(dim=1)
    counted = (logits > EXCLUDED).sum(dim=1)
    return (counted.log() + (log_share.exp() * log_share).sum(dim=1)).mean()


def relation_loss(student: tuple[Tensor, Tensor], teacher: tuple[Tensor, Tensor], temperature: float,
                  logit_scale: Tensor | float, same: Tensor) -> Tensor:
    """Divergence of the student's text x region similarities from the teacher's, over rows and over columns.

    Row by row, the teacher's softmax over the regions is the target of the student's (KL, mean over rows); likewise column
    by column; the two are averaged. A bias that the teacher adds to its logits (SigLIP) changes no softmax.

    Args:
        student: text and region embeddings, (B, D) of unit norm each.
        teacher: text and region embeddings, (B, D') of unit norm each.
        temperature: > 0, divides the student's cosines.
        logit_scale: multiplies the teacher's.
        same: see ``relation_logits``.

    Returns:
        Scalar >= 0; zero where the matrices agree, and for a batch of one.

    Raises:
        ValueError: shapes disagree, or the temperature is not positive.

    >>> import torch
    >>> from mmduet.models.losses.semantic_losses import relation_loss
    >>> eye, none_same = torch.eye(2), torch.zeros(2, 2, dtype=torch.bool)
    >>> relation_loss((eye, eye), (eye, eye), temperature=0.5, logit_scale=2.0, same=none_same).item()
    0.0
    >>> round(relation_loss((eye, eye.flip(0)), (eye, eye), temperature=1.0, logit_scale=1.0, same=none_same).item(), 4)
    0.4621
    """
    batch = student[0].shape[0]
    if temperature <= 0:
        raise ValueError(f'temperature must be positive, got {temperature}')
    shapes = [tuple(value.shape) for value in (*student, *teacher)]
    if any(shape[0] != batch for shape in shapes) or shapes[0] != shapes[1] or shapes[2] != shapes[3] \
            or tuple(same.shape) != (batch, batch):
        raise ValueError('text and region embeddings must be (B, D) for student and for teacher, and same (B, B); got '
                         f'{shapes} and {tuple(same.shape)}')
    student_logits = relation_logits(*student, 1 / temperature, same)
    teacher_logits = relation_logits(*teacher, logit_scale, same)
    return (_divergence(student_logits, teacher_logits) + _divergence(student_logits.T, teacher_logits.T)).mean() / 2


def accumulated_relation_loss(student: tuple[Tensor, Tensor], teacher: tuple[Tensor, Tensor], temperature: float,
                              logit_scale: Tensor | float, same: Tensor, rows: int) -> Tensor:
    """``relation_loss`` of the first ``rows`` of N expressions; the others, which have no gradient, were seen before.

    Each of the first is related to all N. Besides, all N tell the first apart: KL over these alone, times the share that the
    teacher gives them, which by the chain rule of KL is what the first can change. This part has a gradient and no value.
    Its gradient sums to 0 over the first: that of the whole softmax would push all of them away from what was seen before,
    as nothing pulls back (our choice, by measurement; see the method).

    Args:
        student, teacher, temperature, logit_scale, same: see ``relation_loss``, with N for B.
        rows: B, from 1 to N; for N the gradient is that of ``relation_loss``.
    """
    goal, loss = relation_logits(*teacher, logit_scale, same), student[0].new_zeros(())
    for anchors, targets, wanted, pairs in ((*student, goal, same), (*student[::-1], goal.T, same.T)):
        own = relation_logits(anchors, targets.detach(), 1 / temperature, pairs)[:rows]
        told_apart = relation_logits(anchors.detach(), targets, 1 / temperature, pairs)[:, :rows]
        share = wanted.softmax(1)[:, :rows].sum(1)
        apart = (share * _divergence(told_apart, wanted[:, :rows])).sum() / rows
        loss = loss + _divergence(own, wanted[:rows]).mean() + apart - apart.detach()
    return loss / 2


def _divergence(logits: Tensor, target: Tensor) -> Tensor:
    """(N,) KL of the softmax of (N, M) target logits from that of the others."""
    return F.kl_div(logits.log_softmax(1), target.log_softmax(1), reduction='none', log_target=True).sum(1)
