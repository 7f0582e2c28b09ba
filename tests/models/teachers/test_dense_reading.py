import open_clip
import pytest
import torch

from mmduet.models.teachers.dense_reading import find_dense_reader
from mmduet.models.teachers.open_clip_models import build_open_clip
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
    pictures = images(32)
    embeddings, patches = find_dense_reader(visual)(visual, pictures, 2)
    torch.testing.assert_close(embeddings, visual(pictures))
    assert patches.shape == (2, 16, 4, 4)

    tokens = visual.conv1(pictures[:1]).flatten(2)[0].T
    tokens = torch.cat([visual.class_embedding[None], tokens]) + visual.positional_embedding
    last = visual.transformer.resblocks[1]
    state = last.ln_1(visual.transformer.resblocks[0](visual.ln_pre(tokens)[None])[0])
    width = state.shape[1]
    values = state @ last.attn.in_proj_weight[2 * width:].T + last.attn.in_proj_bias[2 * width:]
    expected = visual.ln_post(values @ last.attn.out_proj.weight.T + last.attn.out_proj.bias) @ visual.proj
    # Row 1, column 2 of the grid is patch 6; the class token comes first.
    torch.testing.assert_close(patches[0, :, 1, 2], expected[1 + 6])
    torch.testing.assert_close(patches[0].flatten(1).T, expected[1:])


@torch.no_grad()
def test_patches_of_a_resnet_are_the_value_path_of_its_attention_pool(tmp_path):
    visual = build(tmp_path, vision_cfg=RESNET).visual
    pictures = images(64)
    embeddings, patches = find_dense_reader(visual)(visual, pictures, 1)
    torch.testing.assert_close(embeddings, visual(pictures))
    cells = visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(pictures[:1])))))
    pool = visual.attnpool
    assert patches.shape == (1, 16, 2, 2)
    torch.testing.assert_close(patches[0, :, 0, 1], pool.c_proj(pool.v_proj(cells[0, :, 0, 1])))


@pytest.mark.parametrize('vision', [
    dict(image_size=160, timm_model_name='test_vit', timm_pool='token'),
    dict(VIT, attentional_pool=True, attn_pooler_queries=2, attn_pooler_heads=2),
    dict(VIT, qk_norm=True),
    dict(VIT, layers=1),
])
def test_a_tower_without_a_dense_reading_is_refused_in_words(tmp_path, vision):
    with pytest.raises(NotImplementedError, match=r'no dense reading.*LocationSampler'):
        find_dense_reader(build(tmp_path, vision_cfg=vision).visual)


@pytest.mark.slow
@torch.no_grad()
def test_the_reading_of_vit_b_16_covers_14_by_14_patches():
    visual = open_clip.create_model('ViT-B-16', pretrained=None).eval().visual
    embeddings, patches = find_dense_reader(visual)(visual, images(224, 2), 1)
    assert embeddings.shape == (2, 512) and patches.shape == (1, 512, 14, 14)
