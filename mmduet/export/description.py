"""What an exported file says of itself, in its metadata: all that a predictor needs beside the graph."""
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from mmduet.io.errors import DataError

FORMAT = 1
MOST = 2**13  # pixels of a canvas, and tokens
KEY, TOKENIZER_KEY = 'mmduet', 'tokenizer'
INPUTS = ('image', 'content', 'image_index', 'token_ids', 'attention_mask')
BOXES, SCORES = 'boxes', 'scores'


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedDescription:
    """The entry ``mmduet`` of the metadata, as JSON.

    Attributes:
        student: class of the model.
        canvas_size: S, side of the canvas, pixels.
        long_side: of the image on it, pixels; at most S.
        max_tokens: L, marks included.
        tokenizer: how an expression becomes ids: ``'tokenizers'`` by the entry ``tokenizer`` of the metadata, a
            ``tokenizer.json``; ``'clip'`` by the same after CLIP's cleaning; ``'hash'`` by ``tokenizer_options``.
        has_score: whether the graph has the output ``scores``.
        score: class of what makes them; None without.
        precision: of the weights.
        pretrain_excludes: data sets whose val and test images the weights have not seen; None where nobody says.
        notice: what everybody must know who uses it; empty for nothing.
        versions: of mmduet, PyTorch and the host, when it was exported.
    """

    student: str
    canvas_size: int
    long_side: int
    max_tokens: int
    tokenizer: Literal['tokenizers', 'clip', 'hash']
    tokenizer_options: Mapping[str, int] = field(default_factory=dict)
    has_score: bool = False
    score: str | None = None
    precision: str = 'float32'
    pretrain_excludes: list[str] | None = None
    notice: str = ''
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The entry, with what the inputs and outputs are, for a reader without mmduet."""
        return json.dumps({'format': FORMAT, **asdict(self), 'inputs': _INPUTS, 'outputs': _outputs(self.has_score)})

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], source: str) -> 'ExportedDescription':
        """Read the entry.

        Raises:
            DataError: it is not there, of another format, or says something impossible; names ``source``.
        """
        if KEY not in metadata:
            raise DataError(f'{source} was not written by `mmduet export`: its metadata has no entry {KEY!r}')
        try:
            content = json.loads(metadata[KEY])
            if content.get('format') != FORMAT:
                raise DataError(f'{source} has format {content.get("format")!r}, and this version of mmduet reads {FORMAT}')
            known = cls(**{one.name: content[one.name] for one in fields(cls)})
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
            if isinstance(error, DataError):
                raise
            reason = f'{type(error).__name__}: {error}'
            raise DataError(f'{source}: the entry {KEY!r} of its metadata is broken ({reason:.200})') from error
        sizes = (known.canvas_size, known.long_side, known.max_tokens)
        # Memory is taken by these numbers, so that they are bounded: the largest models have a tenth of them.
        if not all(type(size) is int and 0 < size <= MOST for size in sizes) or known.long_side > known.canvas_size:
            raise DataError(f'{source}: impossible sizes {sizes} (canvas, long side, tokens) in its metadata')
        if known.tokenizer not in ('tokenizers', 'clip', 'hash'):
            raise DataError(f'{source}: a tokenizer of the unknown kind {known.tokenizer!r:.80}')
        return known


_INPUTS: dict[str, Any] = {
    'image': 'uint8 (U, S, S, 3), RGB; the image lies somewhere on a black canvas',
    'content': 'int64 (U, 4), x1 y1 x2 y2 of the image on its canvas, pixels',
    'image_index': 'int64 (B,), which of the U images an expression is about',
    'token_ids': 'int64 (B, T), T at most max_tokens',
    'attention_mask': 'int64 (B, T), 1 at a token and 0 at padding',
}


def _outputs(has_score: bool) -> dict[str, str]:
    outputs = {BOXES: 'float32 (B, 4), x1 y1 x2 y2 in [0, 1] of the image, not of the canvas'}
    if has_score:
        outputs[SCORES] = 'float32 (B,), probability that the box is right (IoU of at least 0.5)'
    return outputs
