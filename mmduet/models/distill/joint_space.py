"""The one embedding space of a student's vision and language: the teacher's."""
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from mmduet.models.layers.projector import Projector
from mmduet.structures import GroundingBatch, GroundingFeatures, mean_without_padding, pool_regions

# The (B, C) features that an embedding is projected from; its name is that of the teacher's embedding it is to become.
POOLING: dict[str, Callable[[GroundingFeatures, GroundingBatch], Tensor]] = {
    'text': lambda features, _: mean_without_padding(features.text, features.text_padding),
    'region': lambda features, batch: pool_regions(features.visual, batch.target_boxes[:, None])[:, 0],
    'image': lambda features, _: mean_without_padding(features.visual.flatten(2).mT, features.visual_padding.flatten(1))}


class JointSpace(nn.Module):
    """A student's embeddings of expression, target region and image in a teacher's space of D dimensions.

    Terms that compare the same embedding train the same projector, so that there is one space and not one for each term
    (method, semantic distillation). A projector exists once a term has required it.

    >>> from mmduet.models.distill import JointSpace
    >>> space = JointSpace(channels=64, embed_dims=512)
    >>> embed = space.require('text', 'region')
    >>> sorted(space.projectors)
    ['region', 'text']
    """

    def __init__(self, channels: int, embed_dims: int) -> None:
        super().__init__()
        self.channels = channels
        self.embed_dims = embed_dims
        self.projectors = nn.ModuleDict()
        self._once: dict[str, Tensor] | None = None

    def require(self, *names: str) -> Callable[[str, GroundingFeatures, GroundingBatch], Tensor]:
        """Make the projectors of embeddings, each once; return ``embed``.

        Raises:
            ValueError: there is no such embedding.
        """
        for name in names:
            if name not in POOLING:
                raise ValueError(f'a student has embeddings of {", ".join(POOLING)}, not of {name!r}')
            if name not in self.projectors:
                self.projectors[name] = Projector(self.channels, self.embed_dims)
        return self.embed

    def embed(self, name: str, features: GroundingFeatures, batch: GroundingBatch) -> Tensor:
        """(B, D) embeddings of unit norm; ``name`` is ``'text'``, ``'region'`` or ``'image'``."""
        known: dict[str, Tensor] = {} if self._once is None else self._once
        if name not in known:
            known[name] = self.projectors[name](POOLING[name](features, batch))
        return known[name]

    @contextmanager
    def once(self) -> Iterator[None]:
        """Within, all terms are about one batch: an embedding that several use is computed once."""
        self._once = {}
        try:
            yield
        finally:
            self._once = None
