import copy

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper
from mmengine.runner.checkpoint import get_state_dict
from mmengine.runner.checkpoint import load_state_dict as load_by_mmengine

from mmduet.models import DistilledGrounder, DUETHead
from mmduet.models.distill import FeatureTerm, student_of
from mmduet.models.teachers import CLIPTeacher
from mmduet.registry import MODELS
from tests.distill_batch import TERMS
from tests.tiny_clip_config import write_clip_config
from tests.tiny_transvg import make_batch, tiny_transvg_config


def config(folder, **changes):
    teacher = dict(type=CLIPTeacher, model='tiny_vit', model_config=write_clip_config(folder))
    head = dict(type=DUETHead, terms=TERMS)
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
    model.teachers['teacher'].forward = None
    (first, second), (third, fourth) = model.val_step(make_batch()), model.student.val_step(make_batch())
    assert torch.equal(first.pred_instances.bboxes, third.pred_instances.bboxes)
    assert torch.equal(second.pred_instances.canvas_boxes, fourth.pred_instances.canvas_boxes)
    features, alone = (part(**model.data_preprocessor(make_batch()), mode='tensor') for part in (model, model.student))
    assert torch.equal(features.query, alone.query)


def test_the_teacher_stays_in_eval_and_without_gradient_while_the_rest_trains(tmp_path):
    model = build(tmp_path).train()
    assert model.student.training and model.head.training and not model.teachers['teacher'].training
    sum(losses_of(model).values()).backward()
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in model.teachers.parameters())
    trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {name.split('.')[0] for name in trainable} == {'student', 'head'}
    assert not [name for name, parameter in trainable.items() if parameter.grad is None]


def test_a_training_step_moves_student_and_head_and_not_the_teacher(tmp_path):
    model = build(tmp_path).train()
    parts = [*model.named_parameters(), *model.teachers.named_parameters()]
    before = {name: parameter.clone() for name, parameter in parts}
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.train_step(make_batch(), OptimWrapper(torch.optim.AdamW(trainable, 1e-3)))
    moved = {name.split('.')[0] for name, parameter in parts if not torch.equal(parameter, before[name])}
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


def test_a_copy_has_the_same_teacher_and_leaves_it_where_it_is(tmp_path):
    model = build(tmp_path)
    copied = copy.deepcopy(copy.deepcopy(model)).double()
    assert copied.teachers is model.teachers
    assert {parameter.dtype for parameter in model.teachers.parameters()} == {torch.float32}
    own = {id(tensor) for part in (copied.student, copied.head) for tensor in [*part.parameters(), *part.buffers()]}
    assert {id(tensor) for tensor in [*copied.parameters(), *copied.buffers()]} == own
    assert {tensor.dtype for tensor in copied.parameters()} == {torch.float64}
    names = [name for name, _ in [*model.named_parameters('x'), *model.named_buffers('x')]]
    assert names == [name for name, _ in [*copied.named_parameters('x'), *copied.named_buffers('x')]]


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
    model = build(tmp_path, head=dict(type=DUETHead, terms={}))
    model.teachers['teacher'].forward = None
    assert losses_of(model).keys() == {'loss_bbox', 'loss_giou'}


def test_the_teacher_is_given_the_batch_of_the_student_and_what_the_terms_require(tmp_path):
    model, seen = build(tmp_path), []
    teacher = model.teachers['teacher']
    real = teacher.forward
    teacher.forward = lambda batch, required: seen.append((batch, required)) or real(batch, required)
    batch = model.data_preprocessor(make_batch(), True)['batch']
    model(batch, 'loss')
    assert seen == [(batch, {'text', 'region', 'image', 'similarity', 'logit_scale'})]


@pytest.mark.parametrize('part', ['teacher', 'head'])
def test_a_model_without_teacher_or_head_is_named_as_its_student(tmp_path, part):
    with pytest.raises(ValueError, match=r'needs a teacher and a head: .* its student alone \(--patch plain\)'):
        build(tmp_path, **{part: None})


def test_parts_may_be_given_built(tmp_path):
    parts = config(tmp_path)
    student, teacher = MODELS.build(parts['student']), MODELS.build(parts['teacher'])
    head = MODELS.build({**parts['head'], 'channels': 32, 'embed_dims': {'teacher': 16}})
    assert losses_of(DistilledGrounder(student, teacher, head))['loss_text'] > 0


def test_the_widths_of_the_head_are_those_of_student_and_teacher_unless_it_says_otherwise(tmp_path):
    space = build(tmp_path).head.spaces['teacher']
    assert (space.channels, space.embed_dims) == (32, 16)
    assert build(tmp_path, head=dict(type=DUETHead, terms={}, embed_dims=16)).head.spaces['teacher'].embed_dims == 16
    with pytest.raises(ValueError, match=r'embeds in 16 dimensions and the head expects 512: leave head\.embed_dims out'):
        build(tmp_path, head=dict(type=DUETHead, terms={}, embed_dims=512))
    with pytest.raises(ValueError, match=r'head\.embed_dims names other, the teachers are teacher'):
        build(tmp_path, head=dict(type=DUETHead, terms={}, embed_dims={'other': 16}))


def test_a_head_that_was_built_for_another_teacher_is_refused(tmp_path):
    head = DUETHead(TERMS, 32, {'other': 16})
    with pytest.raises(ValueError, match=r"takes the targets of 'other', the teachers are teacher"):
        build(tmp_path, head=head)


def test_a_head_that_was_built_for_other_widths_is_refused(tmp_path):
    channels = 'the head was built for channels 8 of the student, which has 32: leave head.channels out'
    for head in (DUETHead({}, 8, {'teacher': 16}), dict(type=DUETHead, terms={}, channels=8)):
        with pytest.raises(ValueError, match=channels):
            build(tmp_path, head=head)
    with pytest.raises(ValueError, match=r"built for embed_dims 6 of 'teacher', which has 16: leave head\.embed_dims out"):
        build(tmp_path, head=DUETHead({}, 32, {'teacher': 6}))


def test_several_teachers_are_asked_each_for_what_is_read_of_it(tmp_path):
    first = config(tmp_path)['teacher']
    (tmp_path / 'second').mkdir()
    second = dict(first, views=[dict(type='mmduet.CropView', scale=1.5)])
    terms = dict(text=dict(type=FeatureTerm, student='text', teacher='text', from_teacher='first'),
                 region=dict(type=FeatureTerm, student='region', teacher='region', from_teacher='second'))
    model = build(tmp_path, teacher=dict(first=first, second=second), head=dict(type=DUETHead, terms=terms))
    targets = model.teach(model.data_preprocessor(make_batch(), True)['batch'])
    assert {name: set(given.given()) for name, given in targets.items()} == {'first': {'text'}, 'second': {'region'}}
    assert losses_of(model).keys() == {'loss_bbox', 'loss_giou', 'loss_text', 'loss_region'}
    assert {name.split('.')[0] for name in model.state_dict()} == {'student', 'head'}


def test_what_a_term_requires_and_the_teacher_cannot_give_is_refused_at_construction(tmp_path):
    class MapTerm(FeatureTerm):
        def __init__(self, space):
            super().__init__(space, 'image', 'image')
            self.required_targets = frozenset({'feature_map'})

    terms = dict(patch=dict(type=MapTerm))
    with pytest.raises(ValueError, match=r"the term 'patch' \(MapTerm\) requires feature_map, which CLIPTeacher does not "
                                         r'give: it gives image, logit_scale, others, patches, region, similarity, text'):
        build(tmp_path, head=dict(type=DUETHead, terms=terms))


def test_a_loss_of_both_is_refused(tmp_path):
    terms = dict(bbox=dict(type=FeatureTerm, student='text', teacher='text'))
    with pytest.raises(ValueError, match='loss_bbox'):
        losses_of(build(tmp_path, head=dict(type=DUETHead, terms=terms)))


def test_the_student_of_a_model_is_its_student_or_the_model_itself(tmp_path):
    model = build(tmp_path)
    assert student_of(model) is model.student and student_of(model.student) is model.student
