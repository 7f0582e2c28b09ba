import copy

import open_clip
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData

from mmduet.models.teachers import CLIPTeacher
from mmduet.registry import MODELS
from mmduet.structures import Canvas
from tests.tiny_clip_config import RESNET, write_clip_config
from tests.tiny_transvg import make_sample

ALL = frozenset({'text', 'region', 'image', 'patches', 'similarity', 'distractors'})
# Photos of 100 x 50 and 60 x 128 px at half size.
CANVASES = (Canvas(size=64, left=4, top=20, width=50, height=25, scale_x=0.5, scale_y=0.5),
            Canvas(size=64, left=20, top=0, width=30, height=64, scale_x=0.5, scale_y=0.5))
SAMPLES = [make_sample('the red circle', CANVASES[0], (20.0, 10.0, 60.0, 40.0)),
           make_sample('the box', CANVASES[1], (0.0, 50.0, 60.0, 128.0))]
SAMPLES[0].distractors = InstanceData(bboxes=torch.tensor([[0.0, 0.0, 0.0, 20.0], [60.0, 10.0, 100.0, 30.0]]))
BOXES = torch.cat([sample.canvas.to_canvas(sample.gt_instances.bboxes) for sample in SAMPLES])


def build(folder, vision=None, **settings):
    torch.manual_seed(0)
    changes = {} if vision is None else dict(vision_cfg=vision)
    teacher = CLIPTeacher('tiny_vit', model_config=write_clip_config(folder, **changes), **settings)
    for parameter in teacher.clip.visual.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return teacher


def images(padding=0.0):
    canvases = torch.full((2, 3, 64, 64), padding)
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for canvas, photo, place in zip(canvases, pixels, CANVASES, strict=True):
        rows, columns = slice(place.top, place.top + place.height), slice(place.left, place.left + place.width)
        canvas[:, rows, columns] = photo[:, rows, columns]
    return canvases


def by_hand(teacher, image, corners):
    x1, y1, x2, y2 = corners
    crop = F.interpolate(image[None, :, y1:y2, x1:x2], (32, 32), mode='bicubic', antialias=True).clamp(0, 1)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD))
    return F.normalize(teacher.clip.encode_image((crop - mean) / std), dim=-1)[0].detach()


def test_embeddings_are_those_of_open_clip_on_a_crop_made_by_hand(tmp_path):
    teacher = build(tmp_path, context=1.4)
    targets = teacher(images(), SAMPLES, BOXES, ALL)
    # Boxes at half size: (14, 25, 34, 40) grows to (10, 22, 38, 43); (20, 25, 50, 64) to the photo's edges and row 17.2.
    torch.testing.assert_close(targets.region[0], by_hand(teacher, images()[0], (10, 22, 38, 43)), atol=1e-5, rtol=0)
    torch.testing.assert_close(targets.image[0], by_hand(teacher, images()[0], (4, 20, 54, 45)), atol=1e-5, rtol=0)
    torch.testing.assert_close(targets.image[1], by_hand(teacher, images()[1], (20, 0, 50, 64)), atol=1e-5, rtol=0)
    texts = teacher.clip.encode_text(teacher.tokenize(['the red circle', 'the box']), normalize=True).detach()
    torch.testing.assert_close(targets.text, texts, atol=1e-5, rtol=0)
    assert targets.patches.shape == (2, 16, 4, 4)
    torch.testing.assert_close(targets.patches.norm(dim=1), torch.ones(2, 4, 4))


def test_similarity_is_the_cosine_of_each_patch_with_the_expression(tmp_path):
    teacher = build(tmp_path)
    targets = teacher(images(), SAMPLES, BOXES, ALL)
    cosine = F.cosine_similarity(targets.patches[1, :, 2, 3], targets.text[1], dim=0)
    torch.testing.assert_close(targets.similarity[1, 2, 3], cosine)
    assert targets.similarity.shape == (2, 4, 4) and targets.similarity.abs().max() <= 1


def test_distractors_are_crops_like_the_region_and_zero_where_there_is_none(tmp_path):
    teacher = build(tmp_path, context=1.4)
    targets = teacher(images(), SAMPLES, BOXES, {'distractors'})
    # (60, 10, 100, 30) at half size is (34, 25, 54, 35), which grows to row 23 to 37 and columns 30 to the edge at 54.
    expected = by_hand(teacher, images()[0], (30, 23, 54, 37))
    torch.testing.assert_close(targets.distractors[0, 1], expected, atol=1e-5, rtol=0)
    assert targets.distractors.shape == (2, 2, 16) and targets.distractors.norm(dim=-1).tolist()[1] == [0, 0]
    assert targets.distractors[0, 0].norm() == 0
    assert teacher(images()[1:], SAMPLES[1:], BOXES[1:], {'distractors'}).distractors.shape == (1, 0, 16)


def test_padding_does_not_change_the_answer(tmp_path):
    teacher = build(tmp_path)
    black, white = teacher(images(), SAMPLES, BOXES, ALL), teacher(images(padding=1.0), SAMPLES, BOXES, ALL)
    for name in ALL:
        assert torch.equal(getattr(black, name), getattr(white, name))


@pytest.mark.parametrize('needs', [{'text'}, {'region'}, {'image'}, {'patches'}, {'text', 'patches'}, {'similarity'},
                                   {'distractors'}, {'region', 'distractors'}, set()])
def test_it_answers_what_is_needed_and_nothing_else(tmp_path, needs):
    teacher = build(tmp_path)
    everything, some = teacher(images(), SAMPLES, BOXES, ALL), teacher(images(), SAMPLES, BOXES, needs)
    for name in ALL:
        if name in needs:
            torch.testing.assert_close(getattr(some, name), getattr(everything, name), atol=1e-5, rtol=0)
        else:
            assert getattr(some, name) is None


def test_a_text_that_occurs_twice_is_computed_once_and_answered_twice(tmp_path):
    teacher = build(tmp_path)
    counts = []
    teacher.clip.ln_final.register_forward_hook(lambda module, inputs, output: counts.append(len(output)))
    embeddings = teacher.embed_texts(['a ball', 'the box', 'a ball'])
    assert counts == [2] and torch.equal(embeddings[0], embeddings[2]) and not torch.equal(embeddings[0], embeddings[1])


def test_it_stays_in_eval_frozen_and_without_gradients(tmp_path):
    teacher = build(tmp_path).train()
    assert not any(module.training for module in teacher.modules())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    targets = teacher(images().requires_grad_(), SAMPLES, BOXES, ALL)
    assert not any(getattr(targets, name).requires_grad for name in ALL)


def test_a_copy_answers_the_same(tmp_path):
    teacher = build(tmp_path)
    copied = copy.deepcopy(teacher)
    assert torch.equal(copied(images(), SAMPLES, BOXES, ALL).patches, teacher(images(), SAMPLES, BOXES, ALL).patches)


def test_its_precision_is_its_own_whatever_the_autocast_around_it(tmp_path):
    teacher = build(tmp_path)
    plain = teacher(images(), SAMPLES, BOXES, ALL)
    with torch.autocast('cpu', torch.bfloat16):
        cast = teacher(images(), SAMPLES, BOXES, ALL)
    assert all(torch.equal(getattr(cast, name), getattr(plain, name)) for name in ALL)
    half = copy.deepcopy(teacher)
    half.clip.to(torch.bfloat16)
    for name in ALL - {'distractors'}:
        answer = getattr(half(images(), SAMPLES, BOXES, ALL), name)
        assert answer.dtype == torch.float32
        assert F.cosine_similarity(answer, getattr(plain, name), dim=1).min() > 0.99
    assert next(build(tmp_path, precision='bfloat16').clip.parameters()).dtype == torch.bfloat16


def test_statistics_can_be_given(tmp_path):
    teacher = build(tmp_path, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    seen = []
    teacher.clip.visual.conv1.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    teacher.embed_images(torch.full((1, 3, 32, 32), 0.75))
    torch.testing.assert_close(seen[0], torch.ones(1, 3, 32, 32))


def test_a_resnet_teaches_too(tmp_path):
    targets = build(tmp_path, vision=RESNET)(images(), SAMPLES, BOXES, ALL)
    assert targets.region.shape == (2, 16) and targets.patches.shape == (2, 16, 2, 2)


def test_a_tower_without_dense_reading_teaches_all_but_patches(tmp_path):
    teacher = build(tmp_path, vision=dict(image_size=160, timm_model_name='test_vit', timm_pool='max'))
    assert teacher(images(), SAMPLES, BOXES, {'region', 'image'}).region.shape == (2, 16)
    with pytest.raises(NotImplementedError, match='no dense reading'):
        teacher(images(), SAMPLES, BOXES, {'patches'})


def test_building_it_leaves_the_generator_as_it_was(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    CLIPTeacher('tiny_vit', model_config=write_clip_config(tmp_path))
    assert torch.equal(torch.rand(2), expected)


def test_bad_settings_are_refused(tmp_path):
    with pytest.raises(ValueError, match='float32, bfloat16, float16'):
        build(tmp_path, precision='int8')
    with pytest.raises(ValueError, match='context'):
        build(tmp_path, context=0.0)


def test_it_is_built_from_a_config(tmp_path):
    teacher = MODELS.build(dict(type='mmduet.CLIPTeacher', model='tiny_vit', model_config=write_clip_config(tmp_path)))
    assert (teacher.embed_dims, teacher.image_size) == (16, (32, 32))


@pytest.mark.slow
def test_vit_b_16_answers_in_512_dimensions():
    targets = CLIPTeacher('ViT-B-16-quickgelu', precision='bfloat16')(images(), SAMPLES, BOXES, ALL)
    assert targets.text.shape == targets.region.shape == (2, 512) and targets.patches.shape == (2, 512, 14, 14)
