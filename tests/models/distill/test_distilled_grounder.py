import copy

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper
from mmengine.runner.checkpoint import get_state_dict
from mmengine.runner.checkpoint import load_state_dict as load_by_mmengine

from mmduet.models import DistilledGrounder, DUETHead
from mmduet.models.losses import RegionContrastiveLoss, SemanticDistillLoss
from mmduet.models.teachers import CLIPTeacher
from mmduet.registry import MODELS
from tests.tiny_clip_config import write_clip_config
from tests.tiny_transvg import make_batch, tiny_transvg_config


def config(folder, **changes):
    teacher = dict(type=CLIPTeacher, model='tiny_vit', model_config=write_clip_config(folder))
    head = dict(type=DUETHead, channels=32, embed_dims=16, semantic=dict(type=SemanticDistillLoss),
                region=dict(type=RegionContrastiveLoss))
    return {**dict(type=DistilledGrounder, student=tiny_transvg_config(), teacher=teacher, head=head), **changes}


def build(folder, **changes):
    torch.manual_seed(0)
    return MODELS.build(config(folder, **changes))


def losses_of(model, seed=0):
    return model(**model.data_preprocessor(make_batch(seed), True), mode='loss')


def test_losses_are_those_of_the_student_and_of_the_head(tmp_path):
    model = build(tmp_path).eval()
    losses = losses_of(model)
    assert losses.keys() == {'loss_bbox', 'loss_giou', 'loss_text', 'loss_region', 'loss_image', 'loss_relation',
                             'loss_contrast'}
    alone = model.student(**model.data_preprocessor(make_batch(), True), mode='loss')
    assert all(torch.equal(losses[name], alone[name]) for name in alone)


def test_prediction_is_the_students_bit_for_bit_and_asks_no_teacher(tmp_path):
    model = build(tmp_path).eval()
    model.teacher.forward = None
    (first, second), (third, fourth) = model.val_step(make_batch()), model.student.val_step(make_batch())
    assert torch.equal(first.pred_instances.bboxes, third.pred_instances.bboxes)
    assert torch.equal(second.pred_instances.canvas_boxes, fourth.pred_instances.canvas_boxes)
    features, alone = (part(**model.data_preprocessor(make_batch()), mode='tensor') for part in (model, model.student))
    assert torch.equal(features.query, alone.query)


def test_the_teacher_stays_in_eval_and_without_gradient_while_the_rest_trains(tmp_path):
    model = build(tmp_path).train()
    assert model.student.training and model.head.training and not model.teacher.training
    sum(losses_of(model).values()).backward()
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in model.teacher.parameters())
    trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {name.split('.')[0] for name in trainable} == {'student', 'head'}
    assert not [name for name, parameter in trainable.items() if parameter.grad is None]


def test_a_training_step_moves_student_and_head_and_not_the_teacher(tmp_path):
    model = build(tmp_path).train()
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.train_step(make_batch(), OptimWrapper(torch.optim.AdamW(trainable, 1e-3)))
    moved = {name.split('.')[0] for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved == {'student', 'head'}


def test_a_checkpoint_holds_student_and_head_and_loads_back_strictly(tmp_path):
    model = build(tmp_path)
    losses_of(model)
    state = model.state_dict()
    assert {name.split('.')[0] for name in state} == {'student', 'head'}
    assert get_state_dict(model).keys() == state.keys()
    other = build(tmp_path)
    other.student.box_head.layers[0].weight.data.zero_()
    assert str(other.load_state_dict(state)) == '<All keys matched successfully>'
    assert torch.equal(other.student.box_head.layers[0].weight, model.student.box_head.layers[0].weight)
    load_by_mmengine(other, state, strict=True)
    wrapped = torch.nn.Sequential(other)
    assert {name.split('.')[1] for name in wrapped.state_dict()} == {'student', 'head'}
    wrapped.load_state_dict(wrapped.state_dict())


def test_a_missing_weight_of_the_student_is_still_missed(tmp_path):
    model = build(tmp_path)
    state = model.state_dict()
    del state['student.query_token.weight']
    with pytest.raises(RuntimeError, match=r'Missing key.*"student.query_token.weight"\. $'):
        model.load_state_dict(state)


def test_the_students_part_of_a_checkpoint_is_the_plain_student(tmp_path):
    state = {name.removeprefix('student.'): value for name, value in build(tmp_path).state_dict().items()
             if name.startswith('student.')}
    plain = MODELS.build(tiny_transvg_config())
    plain.load_state_dict(state, strict=True)
    assert all(torch.equal(value, state[name]) for name, value in plain.state_dict().items())


def test_a_copy_gives_the_same_losses_and_drops_its_own_teacher(tmp_path):
    model = build(tmp_path).eval()
    copied = copy.deepcopy(model)
    first, second = losses_of(model), losses_of(copied)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert copied.state_dict().keys() == model.state_dict().keys()
    assert copied.data_preprocessor is copied.student.data_preprocessor


def test_a_moving_average_follows_the_student(tmp_path):
    model = build(tmp_path)
    average = ExponentialMovingAverage(model, momentum=0.5)
    average.update_parameters(model)
    start = model.student.query_token.weight.detach().clone()
    model.student.query_token.weight.data += 2
    average.update_parameters(model)
    torch.testing.assert_close(average.module.student.query_token.weight, start + 1)
    assert {name.split('.')[1] for name in average.state_dict() if name != 'steps'} == {'student', 'head'}
    average.load_state_dict(average.state_dict())


def test_a_head_that_needs_nothing_asks_nothing(tmp_path):
    model = build(tmp_path, head=dict(type=DUETHead, channels=32, embed_dims=16))
    model.teacher.forward = None
    assert losses_of(model).keys() == {'loss_bbox', 'loss_giou'}


def test_the_teacher_sees_the_photo_as_the_student_does_but_not_normalised(tmp_path):
    model, batch = build(tmp_path), make_batch()
    seen = []
    real = model.teacher.forward
    model.teacher.forward = lambda images, *rest: seen.append(images) or real(images, *rest)
    losses_of(model)
    expected = batch['inputs'][0].float() / 255
    torch.testing.assert_close(seen[0][0, :, 8:56], expected, atol=1e-5, rtol=0)
    assert seen[0][0, :, :8].abs().max() == 0


def test_parts_may_be_given_built(tmp_path):
    parts = config(tmp_path)
    model = DistilledGrounder(*(MODELS.build(parts[name]) for name in ('student', 'teacher', 'head')))
    assert losses_of(model)['loss_text'] > 0


def test_disagreements_are_named(tmp_path):
    with pytest.raises(ValueError, match=r'embeds in 16 dimensions and the head expects 512: set head\.embed_dims'):
        build(tmp_path, head=dict(type=DUETHead, channels=32, embed_dims=512))
    model = build(tmp_path)
    model.head.forward = lambda *_: {'loss_bbox': torch.zeros(())}
    with pytest.raises(ValueError, match='loss_bbox'):
        losses_of(model)
