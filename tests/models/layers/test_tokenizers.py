import open_clip
import pytest
import torch

from mmduet.models.layers.tokenizers import CLIPTokenizer, HashingTokenizer, WordPieceTokenizer
from tests.shared_data import shared


@pytest.fixture
def vocabulary(tmp_path):
    path = tmp_path / 'vocab.txt'
    path.write_text('\n'.join(['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'the', 'red', 'ball', '##s']))
    return path


def test_word_pieces_in_the_frame_of_bert(vocabulary):
    ids, padding = WordPieceTokenizer(vocabulary, max_tokens=20, lengths=range(20))(['The RED balls', 'zebra'])
    assert ids.tolist() == [[2, 4, 5, 6, 7, 3], [2, 1, 3, 0, 0, 0]]
    assert padding.tolist() == [[False] * 6, [False] * 3 + [True] * 3]


def test_words_that_no_vocabulary_holds_are_given_as_they_are_written(vocabulary):
    pieces = WordPieceTokenizer(vocabulary, max_tokens=20)
    assert pieces.unknown_words('The Zèbra, red ball-like: 🐈') == ['Zèbra', ',', '-', 'like', ':', '🐈']
    assert pieces.unknown_words('the red balls') == []
    assert [kind.unknown_words('the Zèbra 🐈') for kind in (HashingTokenizer(2048, 9), CLIPTokenizer(9))] == [[], []]


def test_ids_are_those_of_bert_base_uncased():
    vocab = shared('data/vocab/bert-base-uncased-vocab.txt')
    ids, _ = WordPieceTokenizer(vocab, max_tokens=20)(['zebra in the middle'])
    assert ids.tolist() == [[101, 29145, 1999, 1996, 2690, 102, 0, 0]]


def test_length_is_the_longest_of_the_batch_rounded_up_but_never_over_the_limit(vocabulary):
    tokenizer = WordPieceTokenizer(vocabulary, max_tokens=12)
    assert tokenizer(['the ball', 'red'])[0].shape == (2, 8)
    assert tokenizer([' '.join(['red'] * 8)])[0].shape == (1, 12)


def test_an_expression_over_the_limit_keeps_its_end_mark_and_is_counted(vocabulary):
    tokenizer = WordPieceTokenizer(vocabulary, max_tokens=5, lengths=range(5))
    ids, padding = tokenizer(['the red ball', 'the the red red ball', 'red red red red'])
    assert ids.tolist() == [[2, 4, 5, 6, 3], [2, 4, 4, 5, 3], [2, 5, 5, 5, 3]]
    assert not padding.any()
    assert tokenizer.truncated == 2


def test_hashing_is_stable_keeps_case_out_and_stays_in_range():
    tokenizer = HashingTokenizer(vocab_size=30522, max_tokens=20)
    ids, padding = tokenizer(['Zebra in the middle', 'zebra'])
    assert ids[0].tolist() == [101, 5342, 6660, 26056, 2449, 102, 0, 0]
    assert ids[1].tolist() == [101, 5342, 102, 0, 0, 0, 0, 0]
    assert padding.sum(dim=1).tolist() == [2, 5]


def test_hashed_signs_alone_are_words():
    tokenizer = HashingTokenizer(vocab_size=30522, max_tokens=20)
    assert len(tokenizer.split('...')) == 3
    assert tokenizer.split('?! ...') == [101, tokenizer.split('?!')[1], tokenizer.split('...')[1], 102]
    assert tokenizer.split('cup ...') == tokenizer.split('cup')


@pytest.mark.parametrize('expression', ['', '   ', '\u200b'])
def test_an_expression_without_a_token_is_named(expression):
    with pytest.raises(ValueError, match='has no token'):
        HashingTokenizer(vocab_size=30522, max_tokens=20)(['dog', expression])


def test_a_missing_vocabulary_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.txt: no such vocabulary'):
        WordPieceTokenizer(tmp_path / 'nowhere.txt', max_tokens=20)


def test_a_limit_without_room_for_a_token_is_refused():
    with pytest.raises(ValueError, match='room for one token and two marks, got 2'):
        HashingTokenizer(vocab_size=30522, max_tokens=2)
    assert isinstance(HashingTokenizer(vocab_size=30522, max_tokens=3)(['dog'])[0], torch.Tensor)


def test_ids_of_clip_are_those_of_open_clip_without_case():
    tokenizer = CLIPTokenizer(max_tokens=77)
    ids, padding = tokenizer(['A Zebra in the middle', 'left'])
    expected = open_clip.tokenize(['a zebra in the middle', 'left'])
    assert ids.shape == (2, 8)
    assert torch.equal(ids, expected[:, :8])
    assert padding.tolist() == [[False] * 7 + [True], [False] * 3 + [True] * 5]
    assert tokenizer.vocab_size == 49408


def test_a_long_expression_keeps_the_end_mark_of_clip():
    ids, _ = CLIPTokenizer(max_tokens=10)(['red ' * 20])
    assert torch.equal(ids, open_clip.tokenize(['red ' * 20], context_length=10))


def test_clip_refuses_an_expression_of_which_cleaning_leaves_nothing():
    with pytest.raises(ValueError, match='has no token'):
        CLIPTokenizer(max_tokens=77)(['red ball', ' \n '])
