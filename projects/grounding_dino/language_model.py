"""The text branch of Grounding DINO under MMDetection's names, without its calls to the hub and to transformers before 5."""
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from mmduet.models.layers import BertTextEncoder
from mmduet.models.layers.tokenizers import Tokenizer, WordPieceTokenizer

# transformers 5 wants the axis of the heads in a mask of pairs of tokens, its predecessors add it.
MASKS_HAVE_HEADS = int(transformers.__version__.split('.')[0]) >= 5
HASHED_STOP = 1  # id of the full stop where words are hashed, which never gives it


class PromptTokenizer(Tokenizer):
    """Expressions as Grounding DINO wants them: closed by a full stop.

    Args:
        words: how expressions are cut.

    Raises:
        ValueError: the vocabulary has no full stop.
    """

    def __init__(self, words: Tokenizer) -> None:
        super().__init__(words.max_tokens)
        self.words = words
        self.vocabulary = words.vocabulary
        if isinstance(words, WordPieceTokenizer):
            ids = [words.pieces.token_to_id(piece) for piece in ('[CLS]', '[SEP]', '.', '?')]
            if None in ids[:3]:
                raise ValueError('the vocabulary needs [CLS], [SEP] and the full stop: an expression is closed by one')
            self.stop: int = ids[2]
            self.special_ids = [token for token in ids if token is not None]
        else:
            marks = words.split('a')
            self.stop = HASHED_STOP
            self.special_ids = [marks[0], marks[-1], HASHED_STOP]

    def split(self, expression: str) -> list[int]:
        """See ``Tokenizer.split``; nothing stays nothing."""
        ids = self.words.split(expression)
        return ids if len(ids) < 3 or ids[-2] == self.stop else [*ids[:-1], self.stop, ids[-1]]


class BertBody(nn.Module):
    """Keeps ``model`` where MMDetection's checkpoints have it, and says how wide it is."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.language_dim: int = model.config.hidden_size


class GroundingBert(nn.Module):
    """Stands for MMDetection's ``BertModel``: the same weights under the same names, the same output.

    MMDetection's asks the Hugging Face hub for a tokenizer even when a checkpoint brings all weights, and calls what
    transformers 5 no longer has. This one takes both from where ``BertTextEncoder`` takes them.

    Args:
        pretrained, vocab, config: as in ``BertTextEncoder``; with ``pretrained=None`` the geometry is BERT-base's.
        max_tokens: L, marks included.
        add_pooling_layer: whether the checkpoint has BERT's pooler, which nothing reads.
    """

    special_ids: Tensor

    def __init__(self, pretrained: str | None = 'bert-base-uncased', vocab: str | None = None,
                 config: dict[str, Any] | None = None, max_tokens: int = 256, add_pooling_layer: bool = False) -> None:
        super().__init__()
        text_encoder = BertTextEncoder(pretrained, vocab, max_tokens, config)
        if not add_pooling_layer:
            text_encoder.bert.pooler = None
        self.tokenizer = PromptTokenizer(text_encoder.tokenizer)
        self.language_backbone = nn.Sequential()
        self.language_backbone.add_module('body', BertBody(text_encoder.bert))
        self.register_buffer('special_ids', torch.tensor(self.tokenizer.special_ids), persistent=False)

    def forward(self, ids: Tensor, padding: Tensor) -> dict[str, Tensor]:
        """Read expressions as MMDetection's ``BertModel`` does.

        Args:
            ids: (B, L') int64 of the tokenizer.
            padding: (B, L') bool, True where there is no token.

        Returns:
            ``embedded`` (B, L', C) and ``hidden``, the same; ``masks`` (B, L', L') bool, True where a token may look at
            another; ``position_ids`` (B, L') int64, places within a sentence; ``text_token_mask`` (B, L') bool, True where
            there is a token.
        """
        masks, positions = split_sentences(torch.isin(ids, self.special_ids), padding)
        body: Any = self.language_backbone.body
        output = body.model(input_ids=ids, attention_mask=masks[:, None] if MASKS_HAVE_HEADS else masks,
                            position_ids=positions)
        embedded: Tensor = output.last_hidden_state
        return {'embedded': embedded, 'hidden': embedded, 'masks': masks, 'position_ids': positions,
                'text_token_mask': ~padding}


def split_sentences(special: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
    """Let tokens look at the tokens of their own sentence, which a special token ends; padding at itself.

    Args:
        special: (B, L) bool, True at marks and at full stops.
        padding: (B, L) bool, True where there is no token.

    Returns:
        (B, L, L) bool, True where the second may be looked at from the first; (B, L) int64 places within the sentence.
    """
    real = ~padding
    ends = (special & real).long()
    sentence = ends.cumsum(dim=1) - ends
    together = (sentence[:, :, None] == sentence[:, None, :]) & real[:, :, None] & real[:, None, :]
    masks = together | torch.eye(special.shape[1], dtype=torch.bool, device=special.device)
    return masks, together.long().tril(diagonal=-1).sum(dim=2)
