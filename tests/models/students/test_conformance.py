"""What every student must do. Students are found from the configs: a new one is tested without an edit here."""
from dataclasses import replace
from functools import cache
from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

import mmduet.models.students as students
from mmduet.engine.config_tools import drop_pretrained
from mmduet.models import BaseGrounder
from mmduet.models.cpu import optimise_for_cpu
from mmduet.registry import MODELS
from mmduet.structures import Canvas, GroundingFeatures
from mmduet.structures.boxes import cxcywh_to_xyxy
from tests.shared_data import ROOT
from tests.tiny_transvg import make_sample

# The smallest recipe of each student: its base config for the embedded data set.
CONFIGS = sorted((ROOT / 'mmduet/configs/_base_/models').glob('*_tiny.py'))


@cache
def read_config(path):
    config = Config.fromfile(path)
    drop_pretrained(config)
    return config.model


def build_student(path):
    torch.manual_seed(0)
    return MODELS.build(read_config(path))


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def student(request):
    return build_student(request.param)


@pytest.fixture
def size(student):
    """Side of the canvases that the student of the embedded data set takes."""
    return 64


def make_data(size, texts=('the red square on the left', 'big ball'), images=(0, 1)):
    """Expressions about two images, one wide and one tall, with their boxes."""
    generator = torch.Generator().manual_seed(0)
    quarter = size // 4
    canvases = [Canvas(size=size, left=0, top=quarter // 2, width=size, height=3 * quarter, scale_x=0.5, scale_y=0.5),
                Canvas(size=size, left=quarter, top=0, width=2 * quarter, height=size, scale_x=0.5, scale_y=0.5)]
    pixels = [torch.randint(0, 256, (3, c.height, c.width), generator=generator, dtype=torch.uint8) for c in canvases]
    boxes = [(0.1 * size, 0.2 * size, size, 1.2 * size), (0.0, 0.5 * size, 0.6 * size, 2.0 * size)]
    samples = [make_sample(text, canvases[image], boxes[image], key=str(image))
               for text, image in zip(texts, images, strict=True)]
    return {'inputs': [pixels[image] for image in images], 'data_samples': samples}


def prepare(student, data, training=False):
    return student.data_preprocessor(data, training)['batch']


@torch.no_grad()
def wake(student):
    """Draw the weights that start at zero, which hide what comes before them from the first step and answer."""
    for parameter in student.parameters():
        if not parameter.abs().sum():
            parameter.normal_(std=0.1)


def at_the_truth(features, batch):
    """The features of a student that has answered every stage right."""
    return replace(features, boxes=batch.target_boxes.expand_as(features.boxes).clone())


def test_every_student_of_the_package_has_a_small_recipe():
    modules = [import_module(f'{students.__name__}.{module.name}') for module in iter_modules(students.__path__)]
    ours = {kind for module in modules for kind in vars(module).values()
            if isinstance(kind, type) and issubclass(kind, BaseGrounder) and kind.__module__ == module.__name__
            and not isabstract(kind)}
    assert ours == {read_config(path).type for path in CONFIGS}
    assert all(MODELS.get(f'mmduet.{kind.__name__}') is kind for kind in ours)


def test_features_keep_the_contract_and_boxes_lie_in_the_canvas(student, size):
    features = student(prepare(student, make_data(size)))
    assert isinstance(features, GroundingFeatures)
    assert features.boxes.shape[1:] == (2, 4) and features.query.shape == (2, student.channels)
    assert features.boxes.min() >= 0 and features.boxes.max() <= 1


def test_a_fused_map_lies_over_the_visual_one_and_has_read_the_words(student, size):
    student.eval()
    with torch.no_grad():
        before = student(prepare(student, make_data(size)))
        after = student(prepare(student, make_data(size, texts=('a blue star', 'big ball'))))
    if before.fused is None:
        pytest.skip('this student gives no fused map')
    assert before.fused.shape == before.visual.shape
    assert not torch.allclose(before.fused[0], after.fused[0], atol=1e-4)
    torch.testing.assert_close(before.fused[1], after.fused[1])
    if not student.visual_reads_text:
        torch.testing.assert_close(before.visual, after.visual)


def test_every_trainable_parameter_gets_a_gradient(student, size):
    wake(student)
    losses = student(prepare(student, make_data(size), training=True), mode='loss')
    assert losses and all(name.startswith('loss_') and value.dim() == 0 for name, value in losses.items())
    sum(losses.values()).backward()
    without = [name for name, p in student.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.abs().sum())]
    assert without == []


def test_the_loss_of_the_truth_is_zero(student, size):
    batch = prepare(student, make_data(size), training=True)
    features = student.extract(batch)
    assert sum(student.loss(at_the_truth(features, batch), batch).values()) == pytest.approx(0, abs=1e-5)
    assert sum(student.loss(features, batch).values()) > 0.01


def test_a_loss_that_compares_with_another_frame_is_not_zero_at_the_truth():
    class PixelLoss(type(build_student(CONFIGS[0]))):
        def loss(self, features, batch):
            pixel_boxes = torch.cat([sample.gt_instances.bboxes for sample in batch.samples])
            return {'loss_bbox': (cxcywh_to_xyxy(features.boxes[-1]) - pixel_boxes).abs().mean()}

    wrong = build_student(CONFIGS[0])
    wrong.__class__ = PixelLoss
    batch = prepare(wrong, make_data(64), training=True)
    assert sum(wrong.loss(at_the_truth(wrong.extract(batch), batch), batch).values()) > 1


def test_boxes_without_a_stage_are_refused_by_their_axis(student, size):
    features = student(prepare(student, make_data(size)))
    with pytest.raises(ValueError, match=r'boxes must be \(S, B, 4\), got \(2, 4\)'):
        replace(features, boxes=features.boxes[-1])


def test_a_batch_of_two_equals_two_of_one(student, size):
    student.eval()
    texts = 'the red square on the left', 'big ball'
    with torch.no_grad():
        together = student(prepare(student, make_data(size, texts))).boxes
        alone = [student(prepare(student, make_data(size, texts[k:k + 1], (k, )))).boxes for k in (0, 1)]
    assert torch.allclose(together, torch.cat(alone, dim=1), atol=1e-5)


def test_what_lies_under_the_padding_of_the_text_changes_nothing(student, size):
    batch = prepare(student.eval(), make_data(size, ('red ball', 'the blue star on the right')))
    if batch.token_ids is None:
        pytest.skip('this student reads no token ids')
    other = replace(batch, token_ids=batch.token_ids.masked_fill(batch.text_padding, 7))
    longer = replace(batch, token_ids=F.pad(other.token_ids, (0, 4), value=7),
                     text_padding=F.pad(batch.text_padding, (0, 4), value=True))
    with torch.no_grad():
        boxes, *others = (student(each).boxes for each in (batch, other, longer))
    assert [torch.allclose(boxes, each, atol=1e-5) for each in others] == [True, True]


def test_expressions_of_an_image_are_answered_together_as_alone_and_share_what_no_word_has_touched(student, size):
    student.eval()
    texts, images = ('the red square on the left', 'big ball', 'a blue star'), (0, 1, 0)
    encoded = []
    if not student.visual_reads_text:
        student.visual_encoder.register_forward_pre_hook(lambda module, arguments: encoded.append(len(arguments[0])))
    with torch.no_grad():
        together = student(prepare(student, make_data(size, texts, images))).boxes
        assert encoded == ([] if student.visual_reads_text else [2])
        alone = [student(prepare(student, make_data(size, texts[k:k + 1], images[k:k + 1]))).boxes for k in range(3)]
    assert torch.allclose(together, torch.cat(alone, dim=1), atol=1e-5)


def test_expressions_that_share_an_image_in_training_have_the_losses_and_gradients_of_those_apart(student, size):
    student.eval()
    data = make_data(size, ('the red square on the left', 'big ball', 'a blue star', 'small ring'), (0, 1, 0, 0))
    results = []
    for inputs in (data['inputs'], [image.clone() for image in data['inputs']]):
        student.zero_grad()
        batch = prepare(student, {**data, 'inputs': inputs}, training=True)
        losses = student(batch, mode='loss')
        sum(losses.values()).backward()
        results.append((len(batch.pixels), losses, [p.grad for p in student.parameters() if p.grad is not None]))
    (shared, losses, gradients), (apart, expected, expected_gradients) = results
    assert (shared, apart) == (2, 4)
    torch.testing.assert_close(losses, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradients, expected_gradients, atol=1e-4, rtol=1e-3)


def test_prediction_is_the_box_of_the_canvas_in_pixels_of_the_image_and_inside_it(student, size):
    student.eval()
    with torch.no_grad():
        samples = student(prepare(student, make_data(size)), mode='predict')
    for sample in samples:
        answer = sample.pred_instances
        height, width = sample.ori_shape
        unclipped = sample.canvas.to_image(answer.canvas_boxes)
        assert torch.allclose(answer.bboxes, unclipped.clamp(min=0).minimum(torch.tensor([width, height] * 2).float()))
        assert answer.scores.tolist() == [1.0]


def test_an_expression_of_which_nothing_is_left_is_refused(student, size):
    with pytest.raises(ValueError, match='has no token'):
        prepare(student, make_data(size, texts=(' \t ', 'a dog')))


def test_bfloat16_trains_and_answers_as_float32_does(student, size):
    wake(student)
    batch = prepare(student, make_data(size), training=True)
    with torch.autocast('cpu', torch.bfloat16):
        losses = student(batch, mode='loss')
        sum(losses.values()).backward()
    assert all(value.dtype == torch.float32 and value.isfinite() for value in losses.values())
    assert all(p.grad.isfinite().all() for p in student.parameters() if p.grad is not None)
    student.eval()
    with torch.no_grad():
        exact = student(batch).boxes
        with torch.autocast('cpu', torch.bfloat16):
            rounded = student(batch).boxes
    assert torch.allclose(exact, rounded.float(), atol=0.03)


def test_an_unknown_mode_is_refused(student, size):
    with pytest.raises(ValueError, match="'loss' or 'predict', got 'train'"):
        student(prepare(student, make_data(size)), mode='train')


def test_a_student_says_where_it_looks_when_asked_and_answers_as_without(student, size):
    student.eval()
    batch = prepare(student, make_data(size, texts=('a red square', 'the big ball', 'it'), images=(0, 0, 1)))
    with torch.no_grad():
        features, alone = student.extract_with_attention(batch), student.extract(batch)
        assert alone.attention is None
        assert torch.equal(features.boxes, alone.boxes) and torch.equal(features.query, alone.query)
        shares = features.attention
        assert shares.shape == features.visual_padding.shape == (3, student.feature_size, student.feature_size)
        assert torch.allclose(shares.sum(dim=(1, 2)), torch.ones(3), atol=1e-5)
        # Both canvases have padding, and every other position has its share.
        assert features.visual_padding.flatten(1).any(dim=1).all()
        assert torch.equal(shares == 0, features.visual_padding)
        faster = optimise_for_cpu(student).extract_with_attention(batch)
    assert torch.allclose(faster.attention, shares, atol=1e-4)
    assert not torch.allclose(shares[0], shares[1], atol=1e-4)  # it depends on the expression
