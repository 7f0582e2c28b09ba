import pytest
import torch
from mmdet.models.language_models.bert import BertModel

from mmduet.models.layers.tokenizers import HashingTokenizer, WordPieceTokenizer
from projects.grounding_dino.language_model import GroundingBert, PromptTokenizer, split_sentences
from projects.grounding_dino.reference_for_tests import BERT, PIECES, let_mmdet_run, write_bert


@pytest.fixture
def folder(tmp_path):
    return write_bert(tmp_path / 'bert')


def test_an_expression_is_closed_by_one_full_stop(folder):
    tokenizer = PromptTokenizer(WordPieceTokenizer(folder / 'vocab.txt', 10))
    cls, sep, stop = (PIECES.index(piece) for piece in ('[CLS]', '[SEP]', '.'))
    red, cup = PIECES.index('red'), PIECES.index('cup')
    assert tokenizer.encode('red cup') == tokenizer.encode('Red cup.') == [cls, red, cup, stop, sep]
    assert tokenizer.special_ids == [cls, sep, stop, PIECES.index('?')]


def test_hashed_words_are_closed_too_and_nothing_is_still_refused():
    tokenizer = PromptTokenizer(HashingTokenizer(2048, 10))
    first, *words, stop, last = tokenizer.encode('red cup.')
    assert [first, stop, last] == tokenizer.special_ids[:1] + tokenizer.special_ids[:0:-1] and len(words) == 2
    with pytest.raises(ValueError, match="expression ' ' has no token"):
        tokenizer([' '])


def test_a_vocabulary_without_a_full_stop_is_refused():
    with pytest.raises(ValueError, match='needs \\[CLS\\], \\[SEP\\] and the full stop'):
        GroundingBert(pretrained=None, vocab='mmduet/refshapes/vocab.txt', config=BERT)


def test_tokens_look_at_their_sentence_and_padding_at_itself():
    special = torch.tensor([[True, False, True, False, False, True, True, False]])
    masks, places = split_sentences(special, torch.tensor([[False] * 7 + [True]]))
    assert places.tolist() == [[0, 0, 1, 0, 1, 2, 0, 0]]
    blocks = [masks[0, k].nonzero()[:, 0].tolist() for k in range(8)]
    assert blocks == [[0], [1, 2], [1, 2], [3, 4, 5], [3, 4, 5], [3, 4, 5], [6], [7]]


def test_the_text_is_read_as_mmdetection_reads_it(folder, monkeypatch):
    torch.manual_seed(0)
    theirs = BertModel(name=str(folder), pad_to_max=False, use_sub_sentence_represent=True,
                       special_tokens_list=['[CLS]', '[SEP]', '.', '?']).eval()
    ours = GroundingBert(pretrained=None, vocab=str(folder / 'vocab.txt'), config=BERT).eval()
    ours.load_state_dict(theirs.state_dict())
    let_mmdet_run(monkeypatch, theirs)
    captions = ['red cup on the left', 'the dog. is it red? yes']
    with torch.no_grad():
        wanted, got = theirs([f'{caption}. ' for caption in captions]), ours(*ours.tokenizer(captions))
    length = wanted['text_token_mask'].shape[1]
    assert got['text_token_mask'].shape == (2, 16) and length == 11
    for name in ('embedded', 'hidden', 'position_ids', 'text_token_mask'):
        assert torch.allclose(got[name][:, :length], wanted[name], atol=1e-6), name
    assert got['masks'][:, :length, :length].equal(wanted['masks'])
    assert not got['text_token_mask'][:, length:].any()


def test_a_pooler_is_there_only_for_checkpoints_that_have_one():
    with_pooler = GroundingBert(pretrained=None, config={**BERT, 'vocab_size': 2048}, add_pooling_layer=True)
    without = GroundingBert(pretrained=None, config={**BERT, 'vocab_size': 2048})
    added = with_pooler.state_dict().keys() - without.state_dict().keys()
    assert added == {f'language_backbone.body.model.pooler.dense.{name}' for name in ('weight', 'bias')}
    assert not any(p.requires_grad for name, p in with_pooler.named_parameters() if 'pooler' in name)


def test_without_weights_the_geometry_is_that_of_bert_base():
    with torch.device('meta'):
        body = GroundingBert(pretrained=None).language_backbone.body
    assert body.language_dim == 768
    assert len(body.model.encoder.layer) == 12
    assert body.model.embeddings.word_embeddings.weight.shape == (30522, 768)
