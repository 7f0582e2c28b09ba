"""What every student must do; a new one adds its tiny config here."""
import pytest
import torch

import mmduet.models.students as students
from mmduet.models import BaseGrounder
from mmduet.registry import MODELS
from mmduet.structures import GroundingFeatures
from tests.tiny_clip_vg import tiny_clip_vg_config
from tests.tiny_qrnet import tiny_qrnet_config
from tests.tiny_transvg import make_batch, tiny_transvg_config
from tests.tiny_vltvg import tiny_vltvg_config

TINY = {'CLIPVG': tiny_clip_vg_config, 'QRNet': tiny_qrnet_config, 'TransVG': tiny_transvg_config, 'VLTVG': tiny_vltvg_config}


@pytest.fixture(params=sorted(TINY))
def student(request):
    torch.manual_seed(0)
    return MODELS.build(TINY[request.param]())


def test_every_registered_student_is_tested_here():
    ours = {name for name in students.__all__ if issubclass(getattr(students, name), BaseGrounder)}
    assert ours == set(TINY)
    assert all(MODELS.get(f'mmduet.{name}') is getattr(students, name) for name in ours)


def test_features_keep_the_contract_and_boxes_lie_in_the_canvas(student):
    features = student(**student.data_preprocessor(make_batch()), mode='tensor')
    assert isinstance(features, GroundingFeatures)
    assert features.boxes.shape[1:] == (2, 4)
    assert features.boxes.min() >= 0 and features.boxes.max() <= 1


def test_a_fused_map_lies_over_the_visual_one_and_has_read_the_words(student):
    student.eval()
    data = student.data_preprocessor(make_batch())
    with torch.no_grad():
        before = student(**data, mode='tensor')
        data['data_samples'][0].set_metainfo({'text': 'a cup'})
        after = student(**data, mode='tensor')
    if before.fused is None:
        pytest.skip('this student gives no fused map')
    assert before.fused.shape == before.visual.shape
    assert not torch.allclose(before.fused[0], after.fused[0], atol=1e-4)
    torch.testing.assert_close(before.fused[1], after.fused[1])
    if not student.visual_reads_text:
        torch.testing.assert_close(before.visual, after.visual)


def test_every_trainable_parameter_gets_a_gradient(student):
    with torch.no_grad():
        for parameter in student.parameters():
            # Weights that start at zero keep what comes before them from learning in the first step.
            if not parameter.abs().sum():
                parameter.normal_(std=0.1)
    losses = student(**student.data_preprocessor(make_batch()), mode='loss')
    assert losses and all(name.startswith('loss_') and value.dim() == 0 for name, value in losses.items())
    sum(losses.values()).backward()
    without = [name for name, p in student.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.abs().sum())]
    assert without == []


def test_a_batch_of_two_equals_two_of_one(student):
    student.eval()
    data = student.data_preprocessor(make_batch())
    with torch.no_grad():
        together = student(**data, mode='tensor').boxes
        alone = [student(data['inputs'][k:k + 1], data['data_samples'][k:k + 1]).boxes for k in (0, 1)]
    assert torch.allclose(together, torch.cat(alone, dim=1), atol=1e-5)


def test_expressions_of_a_photo_are_answered_together_as_alone_and_share_what_no_word_has_touched(student):
    student.eval()
    batch, more = make_batch(), make_batch()['data_samples'][0]
    more.set_metainfo({'text': 'a cup', 'expression_id': 'c'})
    data = student.data_preprocessor({'inputs': [*batch['inputs'], batch['inputs'][0]],
                                      'data_samples': [*batch['data_samples'], more]})
    encoded = []
    if not student.visual_reads_text:
        student.visual_encoder.register_forward_pre_hook(lambda module, arguments: encoded.append(len(arguments[0])))
    with torch.no_grad():
        together = student(**data, mode='tensor').boxes
        assert encoded == ([] if student.visual_reads_text else [2])
        alone = [student(data['inputs'][k:k + 1], data['data_samples'][k:k + 1]).boxes for k in range(3)]
    assert torch.allclose(together, torch.cat(alone, dim=1), atol=1e-5)


def test_prediction_is_the_box_of_the_canvas_in_pixels_of_the_photo_and_inside_it(student):
    student.eval()
    with torch.no_grad():
        samples = student(**student.data_preprocessor(make_batch()), mode='predict')
    for sample in samples:
        answer = sample.pred_instances
        height, width = sample.ori_shape
        unclipped = sample.canvas.to_photo(answer.canvas_boxes)
        assert torch.allclose(answer.bboxes, unclipped.clamp(min=0).minimum(torch.tensor([width, height] * 2).float()))
        assert answer.scores.tolist() == [1.0]


def test_an_unknown_mode_is_refused(student):
    with pytest.raises(ValueError, match="'loss' or 'predict', got 'train'"):
        student(torch.zeros(1, 3, 64, 64), [], mode='train')
