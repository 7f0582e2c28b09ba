import pytest
import torch
from mmdet.models.backbones import SwinTransformer
from torch import nn

from mmduet.export.rewrites import ExportedShiftWindowMSA, make_exportable
from mmduet.models.cpu import optimise_for_cpu
from mmduet.models.cpu.linear import CPULinear


@pytest.mark.parametrize('side', [8, 10])
@torch.no_grad()
def test_attention_in_windows_is_that_of_mmdetection(side):
    torch.manual_seed(0)
    backbone = SwinTransformer(embed_dims=16, depths=(2, ), num_heads=(2, ), strides=(4, ), out_indices=(0, ), window_size=4)
    blocks = [block.attn for block in backbone.stages[0].blocks]
    for block in blocks:
        torch.nn.init.normal_(block.w_msa.relative_position_bias_table)
    tokens = torch.randn(3, side**2, 16)
    others = [block.attn for block in make_exportable(backbone).stages[0].blocks]
    assert [type(block) for block in others] == [ExportedShiftWindowMSA] * 2
    assert [block.shift_size for block in blocks] == [0, 2]
    for block, other in zip(blocks, others, strict=True):
        torch.testing.assert_close(other(tokens, (side, side)), block.eval()(tokens, (side, side)), atol=1e-5, rtol=0)


def test_what_is_exported_is_a_copy_without_gradients_and_the_model_stays_as_it_was():
    model = optimise_for_cpu(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))).train()
    copy = make_exportable(model)
    assert [type(part) for part in copy] == [nn.Linear, nn.Dropout] and type(model[0]) is CPULinear
    assert not copy.training and not copy[1].training and model.training and model[1].training
    assert not copy[0].weight.requires_grad and model[0].weight.requires_grad
    copy[0].weight.zero_()
    assert model[0].weight.abs().sum() > 0


def test_recurrent_layers_stay_for_exporters_that_have_them():
    layer, tokens = nn.GRU(5, 4), torch.rand(3, 2, 5)
    torch.testing.assert_close(make_exportable(layer)(tokens)[0], layer(tokens)[0].detach())
