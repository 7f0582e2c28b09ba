import open_clip
import pytest
import torch
from timm.layers import LayerScale

from mmduet.models.teachers.open_clip_models import build_open_clip
from mmduet.models.teachers.patch_features import find_patch_encoder
from tests.tiny_clip_config import RESNET, VIT, write_clip_config


def build(folder, **changes):
    torch.manual_seed(0)
    return build_open_clip('tiny_vit', model_config=write_clip_config(folder, **changes)).clip.eval()


def images(size, count=3):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_patches_of_a_vit_are_the_value_path_of_its_last_block(tmp_path):
    visual = build(tmp_path).visual
    visual.positional_embedding.normal_()
    pixels = images(32)
    embeddings, patches = find_patch_encoder(visual)(visual, pixels, 2)
    torch.testing.assert_close(embeddings, visual(pixels))
    assert patches.shape == (2, 16, 4, 4)

    tokens = visual.conv1(pixels[:1]).flatten(2)[0].T
    tokens = torch.cat([visual.class_embedding[None], tokens]) + visual.positional_embedding
    last = visual.transformer.resblocks[1]
    state = last.ln_1(visual.transformer.resblocks[0](visual.ln_pre(tokens)[None])[0])
    width = state.shape[1]
    values = state @ last.attn.in_proj_weight[2 * width:].T + last.attn.in_proj_bias[2 * width:]
    expected = visual.ln_post(values @ last.attn.out_proj.weight.T + last.attn.out_proj.bias) @ visual.proj
    # Row 1, column 2 of the map is patch 6; the class token comes first.
    torch.testing.assert_close(patches[0, :, 1, 2], expected[1 + 6])
    torch.testing.assert_close(patches[0].flatten(1).T, expected[1:])


@torch.no_grad()
def test_patches_of_a_resnet_are_the_value_path_of_its_attention_pool(tmp_path):
    visual = build(tmp_path, vision_cfg=RESNET).visual
    pixels = images(64)
    embeddings, patches = find_patch_encoder(visual)(visual, pixels, 1)
    torch.testing.assert_close(embeddings, visual(pixels))
    positions = visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(pixels[:1])))))
    pool = visual.attnpool
    assert patches.shape == (1, 16, 2, 2)
    torch.testing.assert_close(patches[0, :, 0, 1], pool.c_proj(pool.v_proj(positions[0, :, 0, 1])))


def spread(module):
    """Random weights that leave no norm, bias or scale at its neutral value."""
    for parameter in module.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return module


def read_with_equal_tokens(visual, norm, width, pixels):
    """Read a tower in which every token that leaves its last norm is the same."""
    token = torch.randn(width, generator=torch.Generator().manual_seed(3))
    handle = norm.register_forward_hook(lambda module, inputs, output: token.expand_as(output))
    embeddings, patches = find_patch_encoder(visual)(visual, pixels, len(pixels))
    handle.remove()
    return embeddings, patches


TIMM = dict(image_size=160, timm_proj='none')


@torch.no_grad()
@pytest.mark.parametrize('vision', [
    dict(TIMM, timm_model_name='test_vit3', timm_pool='map'),
    dict(TIMM, timm_model_name='test_vit3', timm_pool='map', timm_proj='linear'),
    dict(TIMM, timm_model_name='test_vit', timm_pool='avg', timm_proj='mlp'),
    dict(image_size=160, timm_model_name='test_vit', timm_pool='avg', timm_proj=None),
])
def test_where_all_tokens_are_equal_each_patch_says_what_the_pool_says(tmp_path, vision):
    width = {'none': 96, 'linear': 16, 'mlp': 16, None: 16}[vision['timm_proj']]
    visual = spread(build(tmp_path, vision_cfg=vision, embed_dim=width).visual)
    pixels = images(160)
    embeddings, patches = find_patch_encoder(visual)(visual, pixels, 2)
    torch.testing.assert_close(embeddings, visual(pixels))
    assert patches.shape == (2, width, 10, 10) and patches.flatten(2).std(dim=2).min() > 1e-3
    embeddings, patches = read_with_equal_tokens(visual, visual.trunk.norm, visual.trunk.embed_dim, pixels)
    torch.testing.assert_close(patches, embeddings[:, :, None, None].expand_as(patches), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_patches_of_a_mean_pool_with_a_linear_head_have_the_embedding_as_their_mean(tmp_path):
    vision = dict(image_size=160, timm_model_name='test_vit', timm_pool='avg', timm_proj=None)
    visual = spread(build(tmp_path, vision_cfg=vision).visual)
    visual.trunk.norm, visual.trunk.fc_norm = visual.trunk.fc_norm, visual.trunk.norm  # the norm before the mean
    embeddings, patches = find_patch_encoder(visual)(visual, images(160), 3)
    torch.testing.assert_close(patches.mean(dim=(2, 3)), embeddings, atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(('name', 'last', 'linear'), [('fastvit_mci0', 'final_conv', True), ('test_convnext', 'stages', False)])
def test_patches_of_a_convolutional_tower_are_its_positions_through_the_head(tmp_path, name, last, linear):
    vision = dict(image_size=128, timm_model_name=name, timm_pool='avg', timm_proj=None)
    visual = spread(build(tmp_path, vision_cfg=vision).visual)
    pixels = images(128)
    embeddings, patches = find_patch_encoder(visual)(visual, pixels, 2)
    torch.testing.assert_close(embeddings, visual(pixels))
    assert patches.shape == (2, 16, 4, 4) and patches.flatten(2).std(dim=2).min() > 1e-4
    if linear:
        torch.testing.assert_close(patches.mean(dim=(2, 3)), embeddings[:2], atol=1e-5, rtol=1e-4)
    getattr(visual.trunk, last).register_forward_hook(lambda module, inputs, output: output[:, :, 1:2, 2:3].expand_as(output))
    embeddings, alone = find_patch_encoder(visual)(visual, pixels, 2)
    torch.testing.assert_close(embeddings[:2], patches[:, :, 1, 2], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(alone, patches[:, :, 1:2, 2:3].expand_as(alone), atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(('name', 'side'), [('test_vit', 10), ('eva02_tiny_patch14_224', 16)])
def test_patches_of_a_timm_tower_with_a_class_token_are_the_value_path_of_its_last_block(tmp_path, name, side):
    size = 224 if name.startswith('eva') else 160
    visual = spread(build(tmp_path, vision_cfg=dict(image_size=size, timm_model_name=name, timm_pool='token',
                                                    timm_proj=None)).visual)
    trunk, pixels = visual.trunk, images(size, 2)
    last, scale = trunk.blocks[-1], torch.linspace(0.5, 1.5, trunk.embed_dim)
    if name.startswith('eva'):
        last.gamma_1 = torch.nn.Parameter(scale)
        last.gamma_2 = torch.nn.Parameter(scale)
    else:
        last.ls1 = LayerScale(trunk.embed_dim)
        last.ls1.gamma.copy_(scale)
    embeddings, patches = find_patch_encoder(visual)(visual, pixels, 1)
    torch.testing.assert_close(embeddings, visual(pixels))
    assert patches.shape == (1, 16, side, side)

    states = []
    trunk.blocks[-1].norm1.register_forward_hook(lambda module, inputs, output: states.append(output))
    visual(pixels[:1])
    position = trunk.num_prefix_tokens + 1 * side + 2
    # Attention over equal tokens is the value path of one of them.
    value = scale * last.attn(states[0][:, position:position + 1].expand(-1, 5, -1))[0, :1]
    torch.testing.assert_close(patches[0, :, 1, 2], trunk.head(trunk.norm(value))[0], atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize('width', [16, 32])
def test_patches_of_an_attentional_pooler_are_its_value_path(tmp_path, width):
    vision = dict(VIT, attentional_pool=True, attn_pooler_queries=3, attn_pooler_heads=2)
    visual = spread(build(tmp_path, vision_cfg=vision, embed_dim=width).visual)
    pixels = images(32)
    embeddings, patches = find_patch_encoder(visual)(visual, pixels, 2)
    torch.testing.assert_close(embeddings, visual(pixels))
    assert patches.shape == (2, width, 4, 4)
    embeddings, patches = read_with_equal_tokens(visual, visual.attn_pool.ln_k, 32, pixels)
    torch.testing.assert_close(patches, embeddings[:, :, None, None].expand_as(patches), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('vision', [
    dict(image_size=160, timm_model_name='test_vit_relpos', timm_pool='avg'),
    dict(image_size=160, timm_model_name='test_vit', timm_pool='max'),
    dict(image_size=160, timm_model_name='test_resnet', timm_pool='avg'),
    dict(VIT, attentional_pool='parallel', attn_pooler_queries=2, attn_pooler_heads=2),
    dict(VIT, qk_norm=True),
    dict(VIT, layers=1),
])
def test_a_tower_without_patch_features_is_refused_in_words(tmp_path, vision):
    with pytest.raises(NotImplementedError, match=r'no patch features.*contrast_location'):
        find_patch_encoder(build(tmp_path, vision_cfg=vision).visual)


@pytest.mark.slow
@torch.no_grad()
def test_the_reading_of_vit_b_16_covers_14_by_14_patches():
    visual = open_clip.create_model('ViT-B-16', pretrained=None).eval().visual
    embeddings, patches = find_patch_encoder(visual)(visual, images(224, 2), 1)
    assert embeddings.shape == (2, 512) and patches.shape == (1, 512, 14, 14)
