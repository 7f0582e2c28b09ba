import open_clip
import pytest
import torch

from mmduet.models.layers import CLIPTextEncoder, CLIPVisualEncoder
from tests.shared_data import ROOT

TINY = dict(image_size=32, patch_size=8, width=24, num_layers=3, heads=3)
VOCAB = str(ROOT / 'mmduet/refshapes/vocab.txt')


def test_levels_are_outputs_of_the_blocks_side_by_side_and_later_blocks_are_not_run():
    torch.manual_seed(0)
    encoder = CLIPVisualEncoder(**TINY, levels=(1, 2)).eval()
    seen = {}
    for number, block in enumerate(encoder.tower.transformer.resblocks):
        block.register_forward_hook(lambda *a, number=number: seen.update({number: a[-1]}))
    tokens = encoder(torch.randn(2, 3, 32, 32))
    assert tokens.shape == (2, 1 + 16, 2 * 24) and encoder.channels == 48
    assert sorted(seen) == [0, 1]
    assert torch.equal(tokens, torch.cat([seen[0], seen[1]], dim=2))


def test_only_the_positions_of_the_patches_are_trained():
    encoder = CLIPVisualEncoder(**TINY, levels=(3, ))
    assert [name for name, p in encoder.named_parameters() if p.requires_grad] == ['tower.positional_embedding']
    text = CLIPTextEncoder(max_tokens=8, width=16, num_layers=1, heads=2, channels=12, vocab=VOCAB)
    assert not any(p.requires_grad for p in text.parameters())


def test_levels_and_sizes_that_cannot_be_are_refused():
    for levels in ((), (0, 1), (1, 4), (2, 1), (1, 1)):
        with pytest.raises(ValueError, match='levels must rise from 1 to at most 3'):
            CLIPVisualEncoder(**TINY, levels=levels)
    with pytest.raises(ValueError, match='patches of 8 px do not fill a canvas of 30 px'):
        CLIPVisualEncoder(**{**TINY, 'image_size': 30})
    with pytest.raises(ValueError, match=r'canvases of \(64, 64\) px for a CLIP with positions for 32 px'):
        CLIPVisualEncoder(**TINY, levels=(1, ))(torch.zeros(1, 3, 64, 64))


def test_the_last_token_of_a_text_is_clips_embedding_of_it():
    torch.manual_seed(0)
    encoder = CLIPTextEncoder(max_tokens=16, width=96, num_layers=2, heads=3, mlp_ratio=3.0, channels=64, quick_gelu=False,
                              vocab=VOCAB).eval()
    reference = open_clip.transformer.TextTransformer(16, 77, 96, 3, 2, 3.0, output_dim=64, pool_type='argmax').eval()
    reference.load_state_dict(encoder.tower.state_dict())
    ids, padding = encoder.tokenizer(['the red ball', 'big square'])
    tokens = encoder(ids)
    # Without a mark of the highest id, the embedding is read at the token of the highest one.
    full = torch.cat([ids, ids.new_zeros(2, 16 - ids.shape[1])], dim=1)
    expected = reference(full)
    assert torch.allclose(tokens[torch.arange(2), ids.argmax(dim=1)], expected, atol=1e-5)
    assert padding.sum(dim=1).tolist() == [3, 4]
