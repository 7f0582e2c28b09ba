from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmduet.apis import PretrainedGrounder
from mmduet.engine.config_tools import drop_pretrained
from mmduet.export import OnnxExporter
from mmduet.export.exporting import export
from mmduet.registry import MODELS
from projects.example_student.film_grounder import FiLMFeatures

# The promises of every student, checked on this one.
from tests.models.students.test_conformance import (  # noqa: F401
    size,
    test_a_batch_of_two_equals_two_of_one,
    test_a_fused_map_lies_over_the_visual_one_and_has_read_the_words,
    test_an_unknown_mode_is_refused,
    test_boxes_without_a_stage_are_refused_by_their_axis,
    test_every_trainable_parameter_gets_a_gradient,
    test_expressions_of_an_image_are_answered_together_as_alone_and_share_what_no_word_has_touched,
    test_features_keep_the_contract_and_boxes_lie_in_the_canvas,
    test_prediction_is_the_box_of_the_canvas_in_pixels_of_the_image_and_inside_it,
    test_what_lies_under_the_padding_of_the_text_changes_nothing,
)
from tests.tiny_transvg import make_batch

CONFIGS = Path(__file__).parent / 'configs'


def build(name):
    torch.manual_seed(0)
    config = Config.fromfile(CONFIGS / f'{name}.py')
    drop_pretrained(config)
    return MODELS.build(config.model)


def test_its_export_answers_as_it_does(tmp_path):
    config = Config.fromfile(CONFIGS / 'example_refshapes.py')
    lines = []
    export(PretrainedGrounder.from_model(build('example_refshapes'), config), OnnxExporter(), tmp_path / 'film.onnx', check=12,
           say=lines.append)
    assert lines[0].startswith('onnxruntime: 12 pairs: boxes differ by') and (tmp_path / 'film.onnx').exists()


@pytest.fixture
def student():
    return build('example_refshapes')


def make_features(scores, token_boxes):
    return FiLMFeatures(boxes=torch.zeros(1, 1, 4), query=torch.zeros(1, 64), visual=torch.zeros(1, 64, 8, 8),
                        visual_padding=torch.zeros(1, 8, 8, dtype=torch.bool), text=torch.zeros(1, 3, 64),
                        text_padding=torch.zeros(1, 3, dtype=torch.bool), scores=scores, token_boxes=token_boxes)


def test_the_visual_token_of_the_target_is_asked_for_its_score_and_its_box(student):
    # The box 20-60 x 0-40 of this image has its centre at (20, 20) of 64 canvas pixels: column 2, row 2 of 8.
    data = make_batch()
    data['data_samples'][0].gt_instances.bboxes = torch.tensor([[20.0, 4.0, 60.0, 44.0]])
    batch = student.data_preprocessor({name: values[:1] for name, values in data.items()}, True)['batch']
    scores, boxes = torch.zeros(1, 64), torch.full((1, 64, 4), 0.5)
    boxes[0, 18] = torch.tensor([0.3125, 0.3125, 0.3125, 0.3125])
    losses = student.loss(make_features(scores, boxes), batch)
    assert losses['loss_score'].item() == pytest.approx(4.158883)  # the logarithm of 64
    assert losses['loss_bbox'].item() == losses['loss_giou'].item() == 0
    scores[0, 18] = 100
    assert student.loss(make_features(scores, boxes), batch)['loss_score'].item() == 0


def test_padding_never_wins(student):
    data = student.data_preprocessor(make_batch())
    with torch.no_grad():
        student.score.weight.zero_()
        features = student(**data)
    assert features.scores.isneginf().equal(features.visual_padding.flatten(1))
    assert not features.visual_padding.flatten(1)[[0, 1], features.scores.argmax(1)].any()


def test_two_steps_of_duet_lower_the_loss_and_teach_all_of_the_student_and_the_head():
    model = build('example_duet_refshapes')
    data = model.data_preprocessor(make_batch())
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-3)
    totals = []
    for _ in range(3):
        losses = model(**data, mode='loss')
        totals.append(sum(losses.values()))
        optimizer.zero_grad()
        totals[-1].backward()
        optimizer.step()
    assert set(losses) == {'loss_score', 'loss_bbox', 'loss_giou', 'loss_text', 'loss_region', 'loss_image', 'loss_relation',
                           'loss_contrast'}
    assert totals[2] < totals[1] < totals[0]
    assert all(p.grad is not None for p in [*model.student.parameters(), *model.head.parameters()])
