"""The tokenizer of a student as a ``tokenizer.json``, which travels in the exported file."""
from typing import Any, Literal, NamedTuple

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from mmduet.export.exported_graph import ExportError
from mmduet.models.layers.tokenizers import CLIPTokenizer, HashingTokenizer, WordPieceTokenizer
from mmduet.models.layers.tokenizers import Tokenizer as StudentTokenizer

_CLIP_WORDS = r"<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class TokenizerDescription(NamedTuple):
    """How expressions become ids: see ``ExportedDescription``; ``content`` is the ``tokenizer.json``, if there is one."""

    kind: Literal['tokenizers', 'clip', 'hash']
    options: dict[str, int]
    content: str | None


def describe_tokenizer(tokenizer: StudentTokenizer | None) -> TokenizerDescription:
    """The tokenizer of a student for use without mmduet.

    Raises:
        ExportError: there is none, or one of another class.
    """
    if isinstance(tokenizer, HashingTokenizer):
        return TokenizerDescription('hash', {'first': tokenizer.first, 'vocab_size': tokenizer.vocab_size}, None)
    if isinstance(tokenizer, WordPieceTokenizer):
        pieces = Tokenizer.from_str(tokenizer.pieces.to_str())
        return TokenizerDescription('tokenizers', {}, _finish(pieces, tokenizer, '[PAD]'))
    if isinstance(tokenizer, CLIPTokenizer):
        return TokenizerDescription('clip', {}, _finish(_clip_pieces(tokenizer.pairs), tokenizer, '!'))
    if tokenizer is None:
        raise ExportError('the student takes no token ids (it calls no use_tokenizer), and a graph takes no texts')
    raise ExportError(f"the tokenizer {type(tokenizer).__name__} cannot travel with an exported model: word pieces, CLIP's "
                      'byte pairs and hashed words can')


def _finish(pieces: Tokenizer, tokenizer: StudentTokenizer, padding: str) -> str:
    """With truncation and padding set, for who uses it alone."""
    pieces.enable_truncation(tokenizer.max_tokens)
    pieces.enable_padding(pad_id=0, pad_token=padding)
    return str(pieces.to_str())


def _clip_pieces(pairs: Any) -> Tokenizer:
    """open_clip's tokenizer in the library ``tokenizers``, but for its cleaning by ftfy."""
    merges = sorted(pairs.bpe_ranks, key=pairs.bpe_ranks.get)
    start, end = ((pairs.decoder[number], number) for number in (pairs.sot_token_id, pairs.eot_token_id))
    pieces = Tokenizer(models.BPE(vocab=dict(pairs.encoder), merges=merges, end_of_word_suffix='</w>', unk_token=end[0]))
    pieces.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r'\s+'), ' '),
                                              normalizers.Lowercase()])
    pieces.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(_CLIP_WORDS), behavior='removed', invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    pieces.decoder = decoders.ByteLevel()
    pieces.add_special_tokens([start[0], end[0]])
    pieces.post_processor = processors.TemplateProcessing(single=f'{start[0]} $A {end[0]}', special_tokens=[start, end])
    return pieces
