import shutil
from types import SimpleNamespace

import pytest
import torch

from mmduet.io.files import find_file
from mmduet.models.teachers import open_clip_models, tokenizing
from mmduet.models.teachers.open_clip_models import build_open_clip
from mmduet.models.teachers.tokenizing import HashedWords, build_tokenizer
from mmduet.refshapes.clip_pretrainer import CLIPPretrainer
from tests.tiny_clip_config import TEXT, write_clip_config

FAR = dict(TEXT, vocab_size=77, hf_tokenizer_name='far/away', tokenizer_kwargs=dict(clean='canonicalize'))


def register(folder, **changes):
    return open_clip_models.register_model_config(write_clip_config(folder, 'far_away', text_cfg={**FAR, **changes}))


def put_tokenizer(folder):
    for name in ('tokenizer.json', 'tokenizer_config.json'):
        shutil.copy(find_file(f'mmduet/refshapes/tiny_clip/tokenizer/{name}'), folder)
    return folder / 'weights.safetensors'


@pytest.fixture
def offline(monkeypatch):
    """Without a hub, and without its retries."""
    def fail(name, trust_remote_code):
        raise OSError('cannot reach the hub\nmore')

    monkeypatch.setattr(tokenizing.open_clip, 'get_tokenizer', fail)


def test_hashed_words_have_the_models_length_and_vocabulary_and_its_cleaning():
    tokenize = HashedWords(dict(context_length=64, vocab_size=256000, tokenizer_kwargs=dict(clean='canonicalize')))
    tokens = tokenize(['The RED_circle, left!', 'the red circle left', 'the red circle right'])
    assert tokens.shape == (3, 64) and tokens.dtype == torch.int64
    assert torch.equal(tokens[0], tokens[1]) and not torch.equal(tokens[0], tokens[2])
    assert tokens.min() >= 0 and tokens.max() < 256000 and (tokens[0] > 0).sum() == 6
    assert tokenize(['word ' * 100]).shape == (1, 64)
    with pytest.raises(ValueError, match='no token'):
        tokenize(['...'])


def test_with_random_weights_words_are_hashed_and_nothing_is_fetched(tmp_path, offline):
    register(tmp_path, vocab_size=3000)
    assert build_tokenizer('far_away', None, hash_words=True)(['the red circle']).shape == (1, 16)


def test_what_is_to_be_trained_needs_its_own_tokenizer(tmp_path, offline):
    path = write_clip_config(tmp_path, 'far_away', text_cfg=dict(FAR, vocab_size=3000))
    with pytest.raises(RuntimeError, match='tokenizer far/away'):
        CLIPPretrainer('far_away', model_config=path)


def test_a_tokenizer_beside_the_weights_is_the_models(tmp_path, offline):
    register(tmp_path)
    tokens = build_tokenizer('far_away', put_tokenizer(tmp_path), hash_words=True)(['The RED circle!', 'the red circle'])
    # Its vocabulary is that of RefShapes; the end of text is 3.
    assert tokens.shape == (2, 16) and torch.equal(tokens[0], tokens[1]) and (tokens[0] == 3).sum() == 1


def test_a_tokenizer_of_another_model_beside_the_weights_is_refused(tmp_path, offline):
    register(tmp_path, vocab_size=256000)
    with pytest.raises(ValueError, match=r'its tokenizer has 77 tokens, and far_away was trained with 256000'):
        build_tokenizer('far_away', put_tokenizer(tmp_path), hash_words=True)


def test_a_torn_tokenizer_beside_the_weights_is_refused_by_its_folder(tmp_path, offline):
    register(tmp_path)
    weights = put_tokenizer(tmp_path)
    (tmp_path / 'tokenizer.json').write_text('{"version": "1.0", ')
    with pytest.raises(ValueError, match=rf'{tmp_path}: no whole tokenizer of far_away'):
        build_tokenizer('far_away', weights, hash_words=True)


def test_a_tokenizer_that_cannot_be_fetched_is_named_with_where_to_put_it(tmp_path, offline):
    register(tmp_path)
    weights = tmp_path / 'weights.safetensors'
    with pytest.raises(RuntimeError, match=r'tokenizer far/away of the teacher far_away cannot be fetched \(cannot reach the '
                                           rf'hub\).*tokenizer.json.*huggingface.co/far/away.*beside {weights}'):
        build_tokenizer('far_away', weights, hash_words=True)


def test_the_tokenizer_that_open_clip_ships_is_taken_with_and_without_weights(tmp_path):
    for weights in (None, SimpleNamespace(parent=tmp_path)):
        tokens = build_tokenizer('EVA02-B-16', weights, hash_words=True)(['The red circle'])
        assert tokens.shape == (1, 77) and tokens[0, :5].tolist() == [49406, 518, 736, 7117, 49407]


def test_a_model_of_a_far_tokenizer_is_built_without_it(tmp_path, offline):
    path = write_clip_config(tmp_path, 'far_away', text_cfg=dict(FAR, vocab_size=3000))
    built = build_open_clip('far_away', model_config=path)
    assert built.clip.encode_text(built.tokenize(['the red circle'])).shape == (1, 16)
