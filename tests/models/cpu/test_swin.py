import copy

import pytest
import torch
from mmdet.models.backbones import SwinTransformer

from mmduet.models.cpu import optimise_for_cpu, swin
from mmduet.models.cpu.swin import attend_in_windows, window_layout


@pytest.fixture
def pair():
    """MMDetection's Swin, and the same optimised; 7 does not divide its maps of 24 and 12 tokens."""
    torch.manual_seed(0)
    theirs = SwinTransformer(embed_dims=32, depths=(2, 2), num_heads=(2, 4), strides=(4, 2), out_indices=(0, 1), window_size=7,
                             drop_path_rate=0.0)
    for name, parameter in theirs.named_parameters():
        if 'bias' in name or 'norm' in name:
            torch.nn.init.normal_(parameter)
    return theirs, optimise_for_cpu(copy.deepcopy(theirs))


@pytest.mark.parametrize('size', [96, 92])
def test_maps_and_gradients_are_those_of_mmdetection_under_the_same_names(pair, size):
    theirs, ours = pair
    assert list(ours.state_dict()) == list(theirs.state_dict())
    # A map of 23 tokens is padded for its windows, and again to be merged.
    canvases = torch.randn(2, 3, size, size)
    results = [model(canvases) for model in pair]
    assert all(torch.allclose(ours, theirs, atol=1e-4) for theirs, ours in zip(*results, strict=True))
    for maps in results:
        sum(level.square().sum() for level in maps).backward()
    learnt = dict(ours.named_parameters())
    for name, parameter in theirs.named_parameters():
        assert torch.allclose(learnt[name].grad, parameter.grad, rtol=1e-3, atol=1e-3 * parameter.grad.abs().max()), name


def test_answers_in_pieces_are_those_at_once(pair, monkeypatch):
    theirs, ours = pair
    theirs.eval(), ours.eval()
    monkeypatch.setattr(swin, 'AT_ONCE', 1000)
    with torch.inference_mode():
        canvases = torch.randn(2, 3, 96, 96)
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(ours(canvases), theirs(canvases), strict=True))


@pytest.mark.parametrize('apart', [1, 6])
def test_two_products_are_the_fused_attention(apart):
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 6, 2, 9, 8).unbind()
    scores, threads = torch.randn(apart, 2, 9, 9), torch.get_num_threads()
    expected = ((query @ key.transpose(-2, -1) * 0.3 + scores).softmax(dim=-1)) @ value
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            with torch.inference_mode():
                assert torch.allclose(attend_in_windows(query, key, value, scores, 0.0, 0.3), expected, atol=1e-6)
    finally:
        torch.set_num_threads(threads)


def test_a_layout_made_where_nothing_is_learnt_serves_training(pair):
    window_layout.cache_clear()
    _, ours = pair
    with torch.inference_mode():
        ours(torch.randn(1, 3, 96, 96))
    ours(torch.randn(1, 3, 96, 96))[1].sum().backward()
    assert ours.stages[1].blocks[1].attn.w_msa.relative_position_bias_table.grad.abs().sum() > 0


def test_windows_are_padded_shifted_and_put_back():
    layout = window_layout(3, 3, window=2, shift=1)
    # Of rows 0 1 2 and one of padding, shifted up and left by one: 4 5 . 3 / 7 8 . 6 / . . . . / 1 2 . 0.
    tokens = torch.arange(1.0, 10.0).view(1, 9, 1)
    assert layout.divide(tokens).view(4, 4).tolist() == [[5, 6, 8, 9], [0, 4, 0, 7], [0, 0, 2, 3], [0, 0, 0, 1]]
    assert torch.equal(layout.join(layout.divide(tokens)), tokens)
    # The first window holds neighbours; in the second, the padding and what came round from the left are apart.
    assert layout.mask[0].unique().tolist() == [0.0]
    assert layout.mask[1, 0, 0].tolist() == [0.0, -100.0, 0.0, -100.0]
    assert window_layout(4, 4, window=2, shift=0).mask is None
