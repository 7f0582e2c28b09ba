import pytest
import torch

from mmduet.models.teachers.crops import _bicubic, _filter
from mmduet.models.teachers.open_clip_models import build_open_clip
from mmduet.models.teachers.patch_features import find_patch_encoder
from tests.tiny_clip_config import RESNET, VIT, write_clip_config

TIMM = dict(image_size=160, timm_pool='token', timm_proj=None)
TOWERS = {
    'vit': (VIT, 32, 8),
    'mean': (dict(VIT, pool_type='avg', pos_embed_type='sin_cos_2d'), 32, 8),
    'resnet': (RESNET, 64, 32),
    'timm': (dict(TIMM, timm_model_name='test_vit'), 160, 16),
    'eva': (dict(TIMM, image_size=224, timm_model_name='eva02_tiny_patch14_224'), 224, 14),
    'convnext': (dict(TIMM, timm_model_name='test_convnext', timm_pool='avg'), 160, 32),
}


def build(folder, tower, image_size=None):
    torch.manual_seed(0)
    config = write_clip_config(folder, vision_cfg=TOWERS[tower][0])
    return build_open_clip('tiny_vit', model_config=config, image_size=image_size)


def positions_of(visual):
    """(L, C) position embeddings without that of the class token."""
    if hasattr(visual, 'attnpool'):
        return visual.attnpool.positional_embedding[1:]
    return visual.positional_embedding[1:] if hasattr(visual, 'positional_embedding') else visual.trunk.pos_embed[0, 1:]


@torch.no_grad()
@pytest.mark.parametrize('tower', TOWERS)
def test_a_tower_at_its_own_size_is_the_tower_bit_by_bit(tmp_path, tower):
    own = TOWERS[tower][1]
    plain, sized = build(tmp_path, tower), build(tmp_path, tower, own)
    pixels = torch.randn(2, 3, own, own)
    assert sized.image_size == plain.image_size == (own, own)
    assert torch.equal(sized.clip.visual.eval()(pixels), plain.clip.visual.eval()(pixels))


@torch.no_grad()
@pytest.mark.parametrize('tower', TOWERS)
def test_at_another_size_it_runs_and_its_patches_are_so_many_more(tmp_path, tower):
    _, own, stride = TOWERS[tower]
    for size in (own + 3 * stride, own + stride):
        built = build(tmp_path, tower, size)
        visual = built.clip.visual.eval()
        embeddings, patches = find_patch_encoder(visual)(visual, torch.randn(2, 3, size, size), 1)
        assert built.image_size == (size, size) and embeddings.shape == (2, 16)
        assert patches.shape == (1, 16, size // stride, size // stride)


@torch.no_grad()
@pytest.mark.parametrize(('tower', 'after'), [('vit', 7), ('vit', 3), ('mean', 9), ('resnet', 5), ('timm', 14)])
def test_positions_are_a_bicubic_interpolation_of_those_of_training(tmp_path, tower, after):
    _, own, stride = TOWERS[tower]
    before = own // stride
    plain, sized = (build(tmp_path, tower, size).clip.visual for size in (None, after * stride))
    grid = positions_of(plain).unflatten(0, (before, before))
    weights = _filter(torch.zeros(1), torch.full((1, ), float(before)), before, after, _bicubic)[0]
    expected = torch.einsum('yr,xc,rcd->yxd', weights, weights, grid)
    torch.testing.assert_close(positions_of(sized), expected.flatten(0, 1), atol=1e-5, rtol=1e-4)


def test_the_class_token_keeps_its_position(tmp_path):
    plain, sized = (build(tmp_path, 'vit', size).clip.visual for size in (None, 56))
    assert torch.equal(plain.positional_embedding[0], sized.positional_embedding[0])


def test_sizes_and_towers_that_do_not_fit_are_refused(tmp_path):
    for size in (33, 4, 0):
        with pytest.raises(ValueError, match=rf'multiple of 8 pixels for this VisionTransformer, got {size}'):
            build(tmp_path, 'vit', size)
    config = write_clip_config(tmp_path, vision_cfg=dict(TIMM, timm_model_name='test_efficientnet', timm_pool='avg'))
    with pytest.raises(NotImplementedError, match='how this EfficientNet takes images of another size: leave image_size out'):
        build_open_clip('tiny_vit', model_config=config, image_size=192)
