import pytest
import torch
from torch import nn

from mmduet.registry import MODELS
from tests.tiny_transvg import make_batch, tiny_transvg_config


def test_the_map_starts_at_the_first_token_that_is_asked_for():
    torch.manual_seed(0)
    student = MODELS.build(tiny_transvg_config()).eval()
    student.build_fusion(5, 1 + 4, dict(num_layers=0, channels=8), dict(type='BoxHead'))
    student.text_proj = nn.Identity()
    visual, text = torch.randn(2, 5, 5), torch.randn(2, 3, 8)
    no_padding = torch.zeros(2, 5, dtype=torch.bool), torch.zeros(2, 3, dtype=torch.bool)
    features = student.fuse(visual, no_padding[0], text, no_padding[1], torch.zeros(2, 2, 2, dtype=torch.bool), first=1)
    expected = student.visual_proj(visual)[:, 1:]
    assert torch.equal(features.visual.flatten(2).mT, expected) and torch.equal(features.fused, features.visual)
    assert torch.equal(features.query, student.query_token.weight.expand(2, -1))
    assert torch.equal(features.boxes[0], student.box_head(features.query, expected, None).sigmoid())


@pytest.mark.parametrize('head', ['BoxHead', 'ReferenceBoxHead'])
def test_the_answer_reads_the_fused_map_whatever_the_box_head(head):
    torch.manual_seed(0)
    student = MODELS.build({**tiny_transvg_config(), 'box_head': dict(type=head)}).eval()
    taken = []
    student.fusion.layers[-1].register_forward_pre_hook(lambda layer, arguments: taken.append(arguments[0]))
    features = student(student.data_preprocessor(make_batch(), True)['batch'], 'tensor')
    # The wide image has 6 of 8 rows and the tall one 4 of 8 columns: 48 visual tokens are fused, of which it fills half.
    visual, real = slice(-48, None), ~features.visual_padding.flatten(1)
    fused = features.fused.flatten(2).mT
    assert torch.equal(fused[0][real[0]], taken[0][0, visual]) and torch.equal(fused[1][real[1]], taken[0][1, visual][:32])
    gradient, = torch.autograd.grad(features.boxes.sum(), taken[0])
    assert (gradient[:, visual].abs().sum(dim=(1, 2)) > 0).all() and not gradient[1, visual][32:].any()
