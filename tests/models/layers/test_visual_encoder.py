import torch

from mmduet.registry import MODELS
from tests.tiny_transvg import tiny_transvg_config


def test_masked_and_unmasked_attention_agree_without_padding():
    torch.manual_seed(0)
    encoder = MODELS.build(tiny_transvg_config()['visual_encoder']).eval()
    inputs, padding = torch.randn(2, 3, 64, 64), torch.zeros(2, 8, 8, dtype=torch.bool)
    assert torch.allclose(encoder(inputs, padding), encoder(inputs, padding, has_padding=False), atol=1e-5)


def test_what_lies_in_padding_after_the_backbone_does_not_matter():
    torch.manual_seed(0)
    encoder = MODELS.build(tiny_transvg_config()['visual_encoder']).eval()
    padding = torch.zeros(1, 8, 8, dtype=torch.bool)
    padding[:, 6:] = True
    inputs = torch.randn(1, 3, 64, 64)
    plain = encoder(inputs, padding)
    encoder.input_proj.register_forward_hook(lambda _module, _args, visual: visual.masked_fill(padding[:, None], 9.0))
    assert torch.allclose(encoder(inputs, padding)[:, :, :6], plain[:, :, :6], atol=1e-5)
