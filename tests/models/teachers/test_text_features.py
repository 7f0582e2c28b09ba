import open_clip
import pytest
import torch

from mmduet.models.teachers.open_clip_models import build_open_clip
from mmduet.models.teachers.text_features import encode_texts
from tests.tiny_clip_config import TEXT, write_clip_config

TEXTS = ['a', 'the red circle left of the box', 'blue']
CPU = torch.device('cpu')


def build(folder, **changes):
    torch.manual_seed(0)
    built = build_open_clip('tiny_vit', model_config=write_clip_config(folder, **changes))
    for parameter in built.clip.parameters():
        parameter.data.normal_(std=0.3)
    return built.clip.eval(), built.tokenize


@pytest.mark.parametrize('changes', [
    {},
    dict(text_cfg=dict(TEXT, pool_type='eos', eos_id=49407)),
    dict(custom_text=True),
    dict(custom_text=True, text_cfg=dict(TEXT, proj_bias=True)),
    dict(custom_text=True, text_cfg=dict(TEXT, no_causal_mask=True, pool_type='last')),
    dict(custom_text=True, text_cfg=dict(TEXT, embed_cls=True)),
])
@torch.no_grad()
def test_embeddings_are_those_of_the_full_length(tmp_path, changes):
    clip, tokenize = build(tmp_path, **changes)
    tokens = tokenize(TEXTS)
    torch.testing.assert_close(encode_texts(clip, tokens, CPU), clip.encode_text(tokens), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_causal_tower_computes_no_more_tokens_than_the_longest_text_has(tmp_path):
    clip, tokenize = build(tmp_path)
    lengths = []
    clip.token_embedding.register_forward_hook(lambda module, inputs, output: lengths.append(output.shape[1]))
    encode_texts(clip, tokenize(TEXTS), CPU)
    assert lengths == [9]


@torch.no_grad()
def test_a_text_cut_at_the_context_length_is_read_in_full(tmp_path):
    clip, tokenize = build(tmp_path)
    tokens = tokenize(['word ' * 40, 'a'])
    torch.testing.assert_close(encode_texts(clip, tokens, CPU), clip.encode_text(tokens), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@torch.no_grad()
def test_short_texts_of_vit_b_16_are_those_of_77_tokens():
    clip = open_clip.create_model('ViT-B-16', pretrained=None).eval()
    tokens = open_clip.get_tokenizer('ViT-B-16')(TEXTS)
    torch.testing.assert_close(encode_texts(clip, tokens, CPU), clip.encode_text(tokens), atol=1e-5, rtol=1e-5)
