"""What the losses of an untrained distilled model weigh, and how hard each pulls at the parts of the student."""
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

BOX, HEAD = 'box loss', 'head'


def measure_balance(model: Any, batches: Iterator[dict[str, Any]], steps: int) -> dict[str, Any]:
    """Means over ``steps`` batches: each loss, and the norm of its gradient on each part of the student.

    Args:
        model: a ``DistilledGrounder``.
        batches: what a loader delivers.

    Returns:
        ``losses`` by name, of which two are the sums of the student's and of the head's; ``gradients`` by loss and part;
        ``ratio``, the head's sum over the student's.
    """
    import torch
    parts = {name: [weight for weight in part.parameters() if weight.requires_grad]
             for name, part in model.student.named_children()}
    parts = {name: weights for name, weights in parts.items() if weights}
    flat = [weight for weights in parts.values() for weight in weights]
    losses: dict[str, float] = defaultdict(float)
    gradients: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(parts, 0.0))
    model.train()
    model.head.eval()  # it counts no updates
    for _ in range(steps):
        batch = model.data_preprocessor(next(batches), True)['batch']
        features = model.student.extract(batch)
        box, terms = sum(model.student.loss(features, batch).values()), model.head(features, model.teach(batch), batch)
        for name, loss in {BOX: box, **terms, HEAD: sum(terms.values())}.items():
            losses[name] += loss.item() / steps
            left = iter(torch.autograd.grad(loss, flat, retain_graph=True, allow_unused=True))
            for part, weights in parts.items():
                norms = [gradient.norm() for gradient in (next(left) for _ in weights) if gradient is not None]
                gradients[name][part] += float(torch.stack(norms).norm()) / steps if norms else 0.0
    return {'losses': dict(losses), 'gradients': dict(gradients), 'ratio': losses[HEAD] / losses[BOX]}


def format_balance(balance: Mapping[str, Any]) -> str:
    """The table that is printed."""
    parts = list(balance['gradients'][BOX])
    lines = [f'{"at initialisation":20}{"loss":>8}   norm of the gradient on {", ".join(parts)}']
    lines += [f'{name:20}{loss:8.3f}   ' + ' '.join(f'{balance["gradients"][name][part]:10.3g}' for part in parts)
              for name, loss in balance['losses'].items()]
    return '\n'.join([*lines, f'the head weighs {balance["ratio"]:.2f} times the box loss'])
