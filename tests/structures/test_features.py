import pytest
import torch

from mmduet.structures import GroundingFeatures, attention_map


def features(**changes):
    fields = dict(boxes=torch.zeros(1, 2, 4), query=torch.zeros(2, 8), visual=torch.zeros(2, 8, 3, 5),
                  text=torch.zeros(2, 6, 8),
                  visual_padding=torch.zeros(2, 3, 5, dtype=torch.bool), text_padding=torch.zeros(2, 6, dtype=torch.bool))
    return GroundingFeatures(**{**fields, **changes})


def test_features_that_agree_are_accepted():
    assert features().visual.shape == (2, 8, 3, 5)


@pytest.mark.parametrize(('name', 'shape', 'axes'), [
    ('boxes', (2, 4), r'\(S, B, 4\), got'), ('boxes', (1, 3, 4), r'\(S, B, 4\) with B = 2 as in visual'),
    ('query', (2, 7), r'\(B, C\) with C = 8'), ('text', (3, 6, 8), r'\(B, L, C\) with B = 2'),
    ('text_padding', (2, 5), r'\(B, L\) with L = 6 as in text'), ('visual_padding', (2, 5, 3), r'\(B, H, W\) with H = 3'),
    ('fused', (2, 8, 3, 4), r'\(B, C, H, W\) with W = 5'), ('attention', (2, 5, 3), r'\(B, H, W\) with H = 3')])
def test_field_and_axis_of_another_shape_are_named(name, shape, axes):
    dtype = torch.bool if 'padding' in name else torch.float32
    with pytest.raises(ValueError, match=rf'GroundingFeatures\.{name} must be {axes}'):
        features(**{name: torch.zeros(shape, dtype=dtype)})


def test_a_padding_of_numbers_is_refused():
    with pytest.raises(ValueError, match='text_padding must be bool'):
        features(text_padding=torch.zeros(2, 6))


def test_the_map_that_the_answer_reads_is_the_fused_one_where_there_is_one():
    fused = torch.ones(2, 8, 3, 5)
    assert features(fused=fused).answer_map is fused
    alone = features()
    assert alone.answer_map is alone.visual


def test_float_makes_half_precision_full_and_leaves_masks():
    half = features(visual=torch.ones(2, 8, 3, 5, dtype=torch.bfloat16), fused=torch.ones(2, 8, 3, 5, dtype=torch.float16))
    full = half.float()
    assert {full.visual.dtype, full.fused.dtype, full.query.dtype, full.boxes.dtype, full.text.dtype} == {torch.float32}
    assert full.text_padding is half.text_padding and features().float().fused is None


def test_an_attention_map_shares_out_what_the_image_got():
    weights = torch.tensor([[[0.1, 0.3], [0.2, 0.4]], [[0.0, 0.0], [0.0, 0.9]]])
    padding = torch.tensor([[[False, False], [True, True]], [[False, False], [False, True]]])
    shares = attention_map(weights, padding)
    assert torch.allclose(shares[0], torch.tensor([[0.25, 0.75], [0.0, 0.0]]))
    assert torch.allclose(shares[1], torch.tensor([[1 / 3, 1 / 3], [1 / 3, 0.0]]))
