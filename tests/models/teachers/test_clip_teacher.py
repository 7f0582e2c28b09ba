import copy
import math
from dataclasses import replace

import open_clip
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData

from mmduet.models import GroundingDataPreprocessor
from mmduet.models.teachers import CLIPTeacher, CropView, DimmedView, PatchView
from mmduet.registry import MODELS
from mmduet.structures import Canvas, padding_mask
from tests.tiny_clip_config import RESNET, write_clip_config
from tests.tiny_transvg import make_sample

ALL = frozenset({'text', 'region', 'image', 'patches', 'similarity', 'others', 'logit_scale'})
EMBEDDINGS = ('text', 'region', 'image', 'patches')
# Images of 100 x 50 and 60 x 128 px at half size.
CANVASES = (Canvas(size=64, left=4, top=20, width=50, height=25, scale_x=0.5, scale_y=0.5),
            Canvas(size=64, left=20, top=0, width=30, height=64, scale_x=0.5, scale_y=0.5))
BOXES = ((20.0, 10.0, 60.0, 40.0), (0.0, 50.0, 60.0, 128.0))
TEXTS = ('the red circle', 'the box')
OTHERS = torch.tensor([[0.0, 0.0, 0.0, 20.0], [60.0, 10.0, 100.0, 30.0]])


def make_batch(rows=(0, 1), share=False):
    """Expressions about two images, of which the first has two objects more, one of them without area."""
    generator = torch.Generator().manual_seed(0)
    images = [torch.randint(0, 256, (3, place.height, place.width), generator=generator, dtype=torch.uint8)
              for place in CANVASES]
    samples = [make_sample(TEXTS[row], CANVASES[row], BOXES[row], key=str(row)) for row in rows]
    for row, sample in zip(rows, samples, strict=True):
        if row == 0:
            sample.distractors = InstanceData(bboxes=OTHERS.clone())
    data = {'inputs': [images[row] if share else images[row].clone() for row in rows], 'data_samples': samples}
    return GroundingDataPreprocessor()(data)['batch']


def build(folder, vision=None, **settings):
    torch.manual_seed(0)
    changes = {} if vision is None else dict(vision_cfg=vision)
    teacher = CLIPTeacher('tiny_vit', model_config=write_clip_config(folder, **changes), **settings)
    for parameter in teacher.clip.visual.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return teacher


def by_hand(teacher, image, corners):
    x1, y1, x2, y2 = corners
    crop = F.interpolate(image[None, :, y1:y2, x1:x2], (32, 32), mode='bicubic', antialias=True).clamp(0, 1)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD))
    return F.normalize(teacher.clip.encode_image((crop - mean) / std), dim=-1)[0].detach()


def test_embeddings_are_those_of_open_clip_on_a_crop_made_by_hand(tmp_path):
    teacher, batch = build(tmp_path, views=[CropView(scale=1.4)]), make_batch()
    targets, images = teacher(batch, ALL), batch.images()
    # Boxes at half size: (14, 25, 34, 40) grows to (10, 22, 38, 43); (20, 25, 50, 64) to the image's edges and row 17.2.
    torch.testing.assert_close(targets.region[0], by_hand(teacher, images[0], (10, 22, 38, 43)), atol=1e-5, rtol=0)
    torch.testing.assert_close(targets.image[0], by_hand(teacher, images[0], (4, 20, 54, 45)), atol=1e-5, rtol=0)
    torch.testing.assert_close(targets.image[1], by_hand(teacher, images[1], (20, 0, 50, 64)), atol=1e-5, rtol=0)
    texts = teacher.clip.encode_text(teacher.tokenize(list(TEXTS)), normalize=True).detach()
    torch.testing.assert_close(targets.text, texts, atol=1e-5, rtol=0)
    assert targets.patches.shape == (2, 16, 4, 4)
    torch.testing.assert_close(targets.patches.norm(dim=1), torch.ones(2, 4, 4))


def test_similarity_is_the_cosine_of_each_patch_with_the_expression(tmp_path):
    targets = build(tmp_path)(make_batch(), ALL)
    cosine = F.cosine_similarity(targets.patches[1, :, 2, 3], targets.text[1], dim=0)
    torch.testing.assert_close(targets.similarity[1, 2, 3], cosine)
    assert targets.similarity.shape == (2, 4, 4) and targets.similarity.abs().max() <= 1


def test_other_objects_are_crops_like_the_region_and_zero_where_there_is_none(tmp_path):
    teacher, batch = build(tmp_path, views=[CropView(scale=1.4)]), make_batch()
    others = teacher(batch, {'others'}).others
    # (60, 10, 100, 30) at half size is (34, 25, 54, 35), which grows to row 23 to 37 and columns 30 to the edge at 54.
    torch.testing.assert_close(others[0, 1], by_hand(teacher, batch.images()[0], (30, 23, 54, 37)), atol=1e-5, rtol=0)
    assert others.shape == (2, 2, 16) and others.norm(dim=-1).tolist()[1] == [0, 0]
    assert others[0, 0].norm() == 0
    assert teacher(make_batch(rows=[1]), {'others'}).others.shape == (1, 0, 16)


def test_an_image_or_a_target_that_expressions_share_is_looked_at_once_and_given_to_each(tmp_path):
    teacher, shared, apart = build(tmp_path), make_batch((0, 1, 0), share=True), make_batch((0, 1, 0))
    entered = []
    teacher.clip.visual.conv1.register_forward_hook(lambda module, inputs, output: entered.append(len(output)))
    given, expected = teacher(shared, ALL), teacher(apart, ALL)
    # Two images, two targets and two columns of other boxes; then three images, three targets and two columns.
    assert entered == [2 + 2 + 2 * 2, 3 + 3 + 3 * 2]
    for name in ('text', 'region', 'image', 'similarity'):
        torch.testing.assert_close(given.get(name), expected.get(name), atol=1e-5, rtol=0)
    for name in ('patches', 'others'):
        torch.testing.assert_close(given.get(name)[shared.image_index], expected.get(name), atol=1e-5, rtol=0)


def test_padding_does_not_change_the_answer(tmp_path):
    teacher, batch = build(tmp_path), make_batch()
    white = replace(batch, pixels=batch.pixels.masked_fill(padding_mask(batch.content, batch.size)[:, None], 2.0))
    assert not torch.equal(white.pixels, batch.pixels)
    for name, value in teacher(batch, ALL).given().items():
        assert torch.equal(teacher(white, ALL).get(name), value)


@pytest.mark.parametrize('required', [{'text'}, {'region'}, {'image'}, {'patches'}, {'text', 'patches'}, {'similarity'},
                                      {'others'}, {'region', 'others'}, {'logit_scale'}, set()])
def test_it_gives_what_is_required_and_nothing_else(tmp_path, required):
    teacher, batch = build(tmp_path), make_batch()
    everything, some = teacher(batch, ALL).given(), teacher(batch, required).given()
    assert some.keys() == required and everything.keys() == ALL
    for name, value in some.items():
        torch.testing.assert_close(value, everything[name], atol=1e-5, rtol=0)


def test_it_says_what_it_gives_and_the_scale_and_bias_of_its_cosines(tmp_path):
    teacher = build(tmp_path)
    assert teacher.gives == ALL and teacher.embed_dims == 16
    # A half-precision 4.605 would be 4.594 or 4.625: a scale of 98.9 or 102.
    sigmoid = write_clip_config(tmp_path, 'tiny_sigmoid', custom_text=True, init_logit_scale=math.log(100.0),
                                init_logit_bias=-10.0)
    teacher = CLIPTeacher('tiny_sigmoid', model_config=sigmoid, precision='bfloat16')
    assert teacher(make_batch(), {'logit_scale'}).logit_scale.item() == pytest.approx(100)
    assert teacher.gives == ALL | {'logit_bias'}
    assert teacher(make_batch(), {'logit_bias'}).logit_bias.item() == -10


@pytest.mark.parametrize(('native', 'dtype'), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_takes_the_precision_that_fits_the_cpu(tmp_path, monkeypatch, native, dtype):
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: {'avx512_bf16': native}, raising=False)
    teacher = CLIPTeacher('tiny_vit', model_config=write_clip_config(tmp_path), precision='auto')
    assert {parameter.dtype for parameter in teacher.clip.parameters()} == {dtype}
    assert teacher(make_batch(), {'text'}).text.dtype == torch.float32
    with pytest.raises(ValueError, match="precision must be one of float32, bfloat16, float16, auto, got 'int8'"):
        CLIPTeacher('tiny_vit', model_config=write_clip_config(tmp_path), precision='int8')


def test_a_text_that_occurs_twice_is_computed_once_and_answered_twice(tmp_path):
    teacher = build(tmp_path)
    counts = []
    teacher.clip.ln_final.register_forward_hook(lambda module, inputs, output: counts.append(len(output)))
    embeddings = teacher.embed_texts(['a ball', 'the box', 'a ball'])
    assert counts == [2] and torch.equal(embeddings[0], embeddings[2]) and not torch.equal(embeddings[0], embeddings[1])


def test_several_prompts_give_the_normalised_mean_of_their_embeddings(tmp_path):
    alone, both = build(tmp_path), build(tmp_path, prompts=('{}', 'a photo of {}.'))
    plain, filled = alone.embed_texts(list(TEXTS)), alone.embed_texts([f'a photo of {text}.' for text in TEXTS])
    torch.testing.assert_close(both.embed_texts(list(TEXTS)), F.normalize(plain + filled, dim=1))
    torch.testing.assert_close(build(tmp_path, prompts=['a photo of {}.']).embed_texts(list(TEXTS)), filled)
    # As today, what is longer than the context is cut off.
    long = 'the cup ' * 40
    torch.testing.assert_close(both.embed_texts([long + 'x']), both.embed_texts([long + 'y']))


def test_several_views_give_the_normalised_mean_of_their_embeddings(tmp_path):
    views, batch = (CropView(scale=1.4), DimmedView(brightness=0.1)), make_batch()
    crop, dimmed = (build(tmp_path, views=[view])(batch, ALL) for view in views)
    both = build(tmp_path, views=views)(batch, ALL)
    torch.testing.assert_close(both.region, F.normalize(crop.region + dimmed.region, dim=1), atol=1e-5, rtol=0)
    torch.testing.assert_close(both.others[0, 1], F.normalize(crop.others[0, 1] + dimmed.others[0, 1], dim=0), atol=1e-5,
                               rtol=0)
    assert not torch.allclose(crop.region, dimmed.region, atol=1e-2)
    for name in ('text', 'image', 'patches'):
        torch.testing.assert_close(both.get(name), crop.get(name), atol=1e-5, rtol=0)


def test_patches_stand_for_regions_without_a_pass_of_their_own(tmp_path):
    teacher, batch, entered = build(tmp_path, views=[PatchView()]), make_batch((0, 1, 0), share=True), []
    teacher.clip.visual.conv1.register_forward_hook(lambda module, inputs, output: entered.append(len(output)))
    targets = teacher(batch, ALL)
    assert entered == [2]  # the images alone
    # Four patches a side over 50 x 25 pixels of the canvas, (4, 20) to (54, 45). The box (14, 25, 34, 40) begins 0.8 patches
    # from the left and the top and ends 2.4 from the left, 3.2 from the top.
    rows, columns = torch.tensor([0.2, 1.0, 1.0, 0.2]), torch.tensor([0.2, 1.0, 0.4, 0.0])
    by_hand = torch.einsum('dhw,h,w->d', targets.patches[0], rows, columns)
    torch.testing.assert_close(targets.region[0], F.normalize(by_hand, dim=0), atol=1e-5, rtol=0)
    torch.testing.assert_close(targets.region[2], targets.region[0], atol=0, rtol=0)
    # Of the other objects, one has no area; the other ends at the image's edge.
    assert targets.others[0, 0].norm() == 0 and targets.others[0, 1].norm() == pytest.approx(1)
    # (34, 25, 54, 35): from 0.8 to 2.4 down, from 2.4 to 4 across.
    rows, columns = torch.tensor([0.2, 1.0, 0.4, 0.0]), torch.tensor([0.0, 0.0, 0.6, 1.0])
    by_hand = torch.einsum('dhw,h,w->d', targets.patches[0], rows, columns)
    torch.testing.assert_close(targets.others[0, 1], F.normalize(by_hand, dim=0), atol=1e-5, rtol=0)
    for required in ({'region'}, {'others'}):
        entered.clear()
        alone = teacher(batch, required)
        assert entered == [2] and alone.patches is None and alone.image is None
        name = next(iter(required))
        torch.testing.assert_close(alone.get(name), targets.get(name), atol=1e-5, rtol=0)


def test_crops_and_patches_together_give_the_normalised_mean(tmp_path):
    batch = make_batch()
    crop, patch, both = (build(tmp_path, views=views)(batch, ALL) for views in (
        [CropView()], [PatchView(scale=1.4)], [PatchView(scale=1.4), CropView()]))
    torch.testing.assert_close(both.region, F.normalize(crop.region + patch.region, dim=1), atol=1e-5, rtol=0)
    assert not torch.allclose(crop.region, patch.region, atol=1e-2)


def test_patches_of_a_tower_that_has_none_are_refused(tmp_path):
    with pytest.raises(NotImplementedError, match='no patch features are known of this VisionTransformer'):
        build(tmp_path, vision=dict(layers=1), views=[dict(type='mmduet.PatchView')])


def test_it_reads_at_another_resolution(tmp_path):
    targets = build(tmp_path, image_size=56)(make_batch(), ALL)
    assert targets.region.shape == (2, 16) and targets.patches.shape == (2, 16, 7, 7)


def test_it_stays_in_eval_frozen_and_without_gradients(tmp_path):
    teacher = build(tmp_path).train()
    assert not any(module.training for module in teacher.modules())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    batch = make_batch()
    targets = teacher(replace(batch, pixels=batch.pixels.clone().requires_grad_()), ALL)
    assert not any(value.requires_grad for value in targets.given().values())


def test_a_copy_answers_the_same(tmp_path):
    teacher, batch = build(tmp_path), make_batch()
    assert torch.equal(copy.deepcopy(teacher)(batch, ALL).patches, teacher(batch, ALL).patches)


def test_its_precision_is_its_own_whatever_the_autocast_around_it(tmp_path):
    teacher, batch = build(tmp_path), make_batch()
    plain = teacher(batch, ALL)
    with torch.autocast('cpu', torch.bfloat16):
        cast = teacher(batch, ALL)
    assert all(torch.equal(cast.get(name), plain.get(name)) for name in ALL)
    half = copy.deepcopy(teacher)
    half.clip.to(torch.bfloat16)
    answers = half(batch, ALL)
    assert all(value.dtype == torch.float32 for value in answers.given().values())
    for name in EMBEDDINGS:
        assert F.cosine_similarity(answers.get(name), plain.get(name), dim=1).min() > 0.99
    assert F.cosine_similarity(answers.similarity.flatten(1), plain.similarity.flatten(1), dim=1).min() > 0.99
    assert next(build(tmp_path, precision='bfloat16').clip.parameters()).dtype == torch.bfloat16


def test_statistics_can_be_given(tmp_path):
    teacher = build(tmp_path, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    seen = []
    teacher.clip.visual.conv1.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    teacher.embed_images(torch.full((1, 3, 32, 32), 0.75))
    torch.testing.assert_close(seen[0], torch.ones(1, 3, 32, 32))


def test_a_resnet_teaches_too(tmp_path):
    targets = build(tmp_path, vision=RESNET)(make_batch(), ALL)
    assert targets.region.shape == (2, 16) and targets.patches.shape == (2, 16, 2, 2)


def test_a_tower_without_patch_features_teaches_all_else(tmp_path):
    teacher = build(tmp_path, vision=dict(image_size=160, timm_model_name='test_vit', timm_pool='max'))
    assert teacher.gives == ALL - {'patches', 'similarity'}
    assert teacher(make_batch(), {'region', 'image'}).region.shape == (2, 16)
    with pytest.raises(NotImplementedError, match='no patch features'):
        teacher(make_batch(), {'patches'})


def test_building_it_leaves_the_generator_as_it_was(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    CLIPTeacher('tiny_vit', model_config=write_clip_config(tmp_path))
    assert torch.equal(torch.rand(2), expected)


def test_bad_settings_are_refused(tmp_path):
    with pytest.raises(ValueError, match='float32, bfloat16, float16'):
        build(tmp_path, precision='int8')
    with pytest.raises(ValueError, match='scale must be positive'):
        build(tmp_path, views=[dict(type='mmduet.CropView', scale=0.0)])
    with pytest.raises(ValueError, match='views'):
        build(tmp_path, views=[])
    for prompts in ([], ['a photo'], ['{} and {}']):
        with pytest.raises(ValueError, match=r'every prompt must have one \{\}'):
            build(tmp_path, prompts=prompts)


def test_it_is_built_from_a_config(tmp_path):
    teacher = MODELS.build(dict(type='mmduet.CLIPTeacher', model='tiny_vit', model_config=write_clip_config(tmp_path)))
    assert (teacher.embed_dims, teacher.resize.size) == (16, (32, 32))


@pytest.mark.slow
def test_vit_b_16_answers_in_512_dimensions():
    targets = CLIPTeacher('ViT-B-16-quickgelu', precision='bfloat16')(make_batch(), ALL)
    assert targets.text.shape == targets.region.shape == (2, 512) and targets.patches.shape == (2, 512, 14, 14)
