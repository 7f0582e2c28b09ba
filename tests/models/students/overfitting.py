"""A short training of a tiny student, for the tests of every student."""
import torch
from torch import Tensor, nn

from tests.tiny_transvg import make_batch


def overfit(student: nn.Module) -> dict[str, Tensor]:
    """Train on one batch, whose loss must fall to less than a quarter; the losses of the last step."""
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(student.parameters(), 2e-3)
    data = student.data_preprocessor(make_batch())
    totals = []
    for _ in range(40):
        losses: dict[str, Tensor] = student(**data, mode='loss')
        totals.append(torch.stack(list(losses.values())).sum())
        optimizer.zero_grad()
        totals[-1].backward()
        optimizer.step()
    assert totals[-1].item() < 0.25 * totals[0].item()
    return losses
