import pytest
import torch
from transformers import BertConfig, BertModel

from mmduet.models.layers.text_encoder import BertTextEncoder

SMALL = dict(vocab_size=300, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    BertModel(BertConfig(**{**SMALL, 'vocab_size': 7})).save_pretrained(tmp_path)
    (tmp_path / 'vocab.txt').write_text('\n'.join(['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'red', 'dog', '##s']))
    return tmp_path


def test_a_folder_gives_weights_and_vocabulary(folder):
    encoder = BertTextEncoder(pretrained=str(folder), max_tokens=8).eval()
    ids, padding = encoder.tokenizer(['red dogs'])
    assert ids.tolist() == [[2, 4, 5, 6, 3, 0, 0, 0]]
    reference = BertModel.from_pretrained(folder).eval()
    expected = reference(input_ids=ids, attention_mask=(~padding).long()).last_hidden_state
    assert torch.equal(encoder(ids, padding), expected)


def test_padding_does_not_change_the_words():
    torch.manual_seed(0)
    encoder = BertTextEncoder(pretrained=None, max_tokens=16, config=SMALL).eval()
    ids, padding = encoder.tokenizer(['a dog', 'a dog and a cat and a cow and a horse'])
    alone, alone_padding = encoder.tokenizer(['a dog'])
    assert alone.shape[1] < ids.shape[1]
    words = encoder(ids, padding)[0, :4]
    assert torch.allclose(words, encoder(alone, alone_padding)[0, :4], atol=1e-5)


def test_the_mean_of_the_last_layers_is_that_of_the_references_layers(folder):
    encoder = BertTextEncoder(pretrained=str(folder), max_tokens=8, mean_of_last=2).eval()
    ids, padding = encoder.tokenizer(['red dogs'])
    layers = BertModel.from_pretrained(folder).eval()(input_ids=ids, attention_mask=(~padding).long(),
                                                      output_hidden_states=True).hidden_states
    assert len(layers) == 3
    assert torch.allclose(encoder(ids, padding), (layers[1] + layers[2]) / 2, atol=1e-6)


@pytest.mark.parametrize('count', [0, 3])
def test_a_mean_of_layers_that_bert_does_not_have_is_refused(count):
    with pytest.raises(ValueError, match=f'a BERT of 2 layers has no mean of its last {count}'):
        BertTextEncoder(pretrained=None, config=SMALL, mean_of_last=count)


def test_the_pooler_is_kept_and_never_trained():
    encoder = BertTextEncoder(pretrained=None, config=SMALL)
    frozen = [name for name, p in encoder.named_parameters() if not p.requires_grad]
    assert frozen == ['bert.pooler.dense.weight', 'bert.pooler.dense.bias']


def test_weights_that_cannot_be_fetched_are_named_with_the_way_out(monkeypatch):
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    with pytest.raises(FileNotFoundError, match=r"vocab.txt of the text encoder 'nobody/no-such-bert'.*--no-pretrained"):
        BertTextEncoder(pretrained='nobody/no-such-bert')


def test_a_folder_without_weights_is_named(folder):
    (folder / 'model.safetensors').unlink()
    with pytest.raises(FileNotFoundError, match='the weights of the text encoder'):
        BertTextEncoder(pretrained=str(folder))
