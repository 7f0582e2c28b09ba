"""How the teacher's semantics weigh the negatives of a dense contrast: which tokens count more, and by how much."""
from dataclasses import dataclass, fields

import torch
from torch import Tensor

# What an object's box covers of a token at least for the token to be the object's.
LEAST_COVERAGE = 0.5


@dataclass(slots=True)
class WeightFacts:
    """Sums over expressions whose image has another annotated object; ``describe`` divides them.

    Attributes:
        expressions: how many.
        on_objects, elsewhere: mean weight of the negatives on another annotated object, and of those on the ground.
        objects_share, objects_share_evenly: share of all weight that lies on other objects, and what it would be if all
            counted alike.
        auroc: how often a token on another object weighs more than one on the ground; 0.5 says that weights do not know.
        spread: standard deviation of the logarithm of the weights, in nats: how far weights move logits apart.
    """

    expressions: float = 0
    on_objects: float = 0
    elsewhere: float = 0
    objects_share: float = 0
    objects_share_evenly: float = 0
    auroc: float = 0
    spread: float = 0

    def add(self, weights: Tensor, outside: Tensor, on_objects: Tensor) -> None:
        """Count a batch.

        Args:
            weights: (B, N) positive, of the tokens.
            outside: (B, N) bool, True where a token is a negative.
            on_objects: (B, N) bool, True where a token lies on another annotated object.
        """
        for row, negative, on_object in zip(weights, outside, on_objects, strict=True):
            objects, ground = row[negative & on_object], row[negative & ~on_object]
            if not len(objects) or not len(ground):
                continue
            both = torch.cat([objects, ground])
            above = (objects[:, None] > ground).double() + 0.5 * (objects[:, None] == ground).double()
            counted = {'expressions': 1.0, 'on_objects': objects.mean(), 'elsewhere': ground.mean(),
                       'objects_share': objects.sum() / both.sum(), 'objects_share_evenly': len(objects) / len(both),
                       'auroc': above.mean(), 'spread': both.log().std(correction=0)}
            for name, value in counted.items():
                setattr(self, name, getattr(self, name) + float(value))

    def describe(self) -> str:
        """Two lines."""
        if not self.expressions:
            return 'no expression has another annotated object in its image'
        mean = {field.name: getattr(self, field.name) / self.expressions for field in fields(self)}
        return (f'{self.expressions:.0f} expressions with other objects: a token on another object counts '
                f'{mean["on_objects"]:.2f} times, one on the ground {mean["elsewhere"]:.2f} times '
                f'(AUROC {mean["auroc"]:.2f}),\n'
                f'so {100 * mean["objects_share"]:.1f} % of the weight lies on other objects, '
                f'{100 * mean["objects_share_evenly"]:.1f} % if all counted alike; weights move a logit by '
                f'{mean["spread"]:.2f} nats (standard deviation)')
