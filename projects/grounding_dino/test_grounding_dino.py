import copy

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmduet.engine.checkpoint import fit_to_model, load_strictly
from mmduet.registry import MODELS
from mmduet.structures import Canvas
from projects.grounding_dino.grounding_dino import move_back, move_to_corner, read_detector
from projects.grounding_dino.language_model import GroundingBert
from projects.grounding_dino.reference_for_tests import BERT, build, build_mmdet, let_mmdet_run, load_config, write_bert

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
from tests.tiny_transvg import make_batch, make_sample

# MMDetection's losses by the names they have here.
LOSSES = {'loss_cls': 'loss_cls', 'd0.loss_iou': 'loss_iou_d0', 'enc_loss_bbox': 'loss_bbox_enc',
          'dn_loss_cls': 'loss_cls_dn', 'd0.dn_loss_bbox': 'loss_bbox_dn_d0'}


@pytest.fixture
def student():
    return build('grounding_dino_refshapes')


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """MMDetection's own tiny detector, and the student with its weights and its vocabulary."""
    folder = write_bert(tmp_path / 'bert')
    model = load_config('grounding_dino_refshapes').model
    torch.manual_seed(1)
    theirs = build_mmdet(model.detector, folder, model.changes.to_dict())
    theirs.init_weights()
    with torch.no_grad():
        for parameter in theirs.parameters():
            # What starts at zero would hide what it is multiplied with.
            parameter.add_(0.02 * torch.randn_like(parameter))
    model.language_model = dict(type=GroundingBert, pretrained=None, vocab=str(folder / 'vocab.txt'), config=BERT)
    ours = MODELS.build(model)
    ours.load_state_dict(theirs.state_dict())
    let_mmdet_run(monkeypatch, theirs)
    return theirs, ours


def in_corner(batch):
    """The batch with each photo in the upper left corner of its canvas, where MMDetection has it."""
    for sample in batch['data_samples']:
        place = sample.canvas
        sample.set_metainfo({'canvas': Canvas(size=place.size, left=0, top=0, width=place.width, height=place.height,
                                              scale_x=place.scale_x, scale_y=place.scale_y)})
    return batch


def prepare_one(model, data, number=0):
    """A batch of one expression."""
    return model.data_preprocessor({name: values[number:number + 1] for name, values in data.items()})['batch']


def as_mmdet(sample, **more):
    """A sample of ours as MMDetection's pipeline packs it."""
    place = sample.canvas
    return DetDataSample(metainfo=dict(
        text=sample.text, ori_shape=sample.ori_shape, img_shape=(place.height, place.width),
        batch_input_shape=(place.size, place.size), scale_factor=(place.scale_x, place.scale_y), **more))


def test_answers_are_those_of_mmdetection(pair):
    theirs, ours = (model.eval() for model in pair)
    for number in (0, 1):
        batch = prepare_one(ours, in_corner(make_batch()), number)
        with torch.no_grad():
            [wanted] = theirs.predict(batch.pixels, [as_mmdet(batch.samples[0], tokens_positive=-1)])
            [got] = ours(batch, mode='predict')
        assert wanted.pred_instances.scores[0] > wanted.pred_instances.scores[1]
        assert torch.allclose(got.pred_instances.bboxes[0], wanted.pred_instances.bboxes[0], atol=1e-4)


def test_a_photo_that_fills_its_canvas_goes_through_mmdetections_own_preprocessor_to_the_same_box(pair):
    theirs, ours = (model.eval() for model in pair)
    place = Canvas(size=64, left=0, top=0, width=64, height=64, scale_x=0.5, scale_y=0.5)
    sample = make_sample('the red circle', place, (0.0, 0.0, 10.0, 10.0))
    photo = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        [wanted] = theirs.test_step({'inputs': [photo.flip(0)], 'data_samples': [as_mmdet(sample, tokens_positive=-1)]})
        [got] = ours.test_step({'inputs': [photo], 'data_samples': [sample]})
    assert torch.allclose(got.pred_instances.bboxes[0], wanted.pred_instances.bboxes[0], atol=1e-3)


def test_losses_are_those_of_mmdetection(pair):
    theirs, ours = (model.eval() for model in pair)
    # Denoising queries as in training, and no dropout.
    theirs.training = ours.detector.training = True
    batch = prepare_one(ours, in_corner(make_batch()))
    [sample] = batch.samples
    packed = as_mmdet(sample, tokens_positive={0: [[0, len(sample.text)]]})
    packed.set_metainfo({'text': f'{sample.text}. '})
    packed.gt_instances = InstanceData(bboxes=sample.gt_instances.bboxes * 0.5, labels=torch.zeros(1, dtype=torch.long))
    torch.manual_seed(2)  # of the noise on the denoising queries
    wanted = theirs.loss(batch.pixels, [packed])
    torch.manual_seed(2)
    got = ours(batch, mode='loss')
    assert len(got) == len(wanted) == 15
    assert all(name.startswith('loss_') for name in got)
    for theirs_name, name in LOSSES.items():
        assert got[name].item() == pytest.approx(wanted[theirs_name].item(), rel=1e-4), name
    assert sum(got.values()).item() == pytest.approx(sum(wanted.values()).item(), rel=1e-4)


def test_an_answer_does_not_depend_on_how_long_the_other_expressions_are(pair):
    _, ours = pair
    ours.eval()
    words = 'the red circle on the left', 'the big red dog on the left circle is the cup the dog is on'
    with torch.no_grad():
        together = ours(**ours.data_preprocessor(in_corner(make_batch(texts=words)))).boxes[:, 0]
        alone = ours(prepare_one(ours, in_corner(make_batch(texts=words)))).boxes[:, 0]
    assert torch.allclose(together, alone, atol=1e-5)


def test_where_the_photo_lies_on_its_canvas_changes_nothing_but_the_place_of_the_answer(student):
    student.eval()
    batch = make_batch()
    with torch.no_grad():
        centred = student(**student.data_preprocessor(batch), mode='predict')
        boxes = [sample.pred_instances.bboxes.clone() for sample in centred]
        visual = student(**student.data_preprocessor(batch)).visual
        corner = student.data_preprocessor(in_corner(batch))
        moved = student(**corner, mode='predict')
        maps = student(**corner).visual
    assert all(torch.allclose(a, b.pred_instances.bboxes, atol=1e-3) for a, b in zip(boxes, moved, strict=True))
    # The first photo lies 8 pixels from the top, which is one cell.
    assert torch.allclose(visual[0, :, 1:7], maps[0, :, :6], atol=1e-5)


def test_photos_are_moved_by_pixels_and_maps_between_cells():
    places = [Canvas(size=8, left=1, top=2, width=4, height=3, scale_x=1, scale_y=1)]
    canvas = torch.zeros(1, 3, 8, 8)
    canvas[:, :, 2:5, 1:5] = torch.arange(1.0, 13).view(3, 4)
    moved = move_to_corner(canvas, places)
    assert moved[0, 0, :3, :4].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    assert moved.sum() == canvas.sum()
    halves = move_back(torch.arange(4.0).repeat(4, 1)[None, None], places)  # of 2 pixels a cell
    assert halves[0, 0, 0].tolist() == pytest.approx([0, 0.5, 1.5, 2.5], abs=1e-6)


@pytest.mark.slow  # the tiny pair loads each other's weights by name in every run
def test_names_and_shapes_of_all_weights_are_those_of_mmdetection_at_full_size(tmp_path):
    folder = write_bert(tmp_path / 'bert', num_hidden_layers=12)
    model = load_config('grounding_dino_refcoco').model
    model.language_model.update(vocab=str(folder / 'vocab.txt'), config={**BERT, 'num_hidden_layers': 12})
    theirs = build_mmdet(model.detector, folder, {}).state_dict()
    ours = MODELS.build(model).state_dict()
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}
    assert ours['decoder.ref_point_head.layers.0.weight'].shape == (256, 512)
    assert sum(value.numel() for key, value in ours.items() if 'language_model' not in key) == 63_926_441


def test_a_checkpoint_of_mmdetection_is_loaded_as_it_is_plain_or_into_the_student_of_duet(student, tmp_path):
    positions = {'language_model.language_backbone.body.model.embeddings.position_ids': torch.arange(512)[None]}
    state = {key: value + 1 for key, value in student.state_dict().items()}
    assert 'backbone.patch_embed.projection.weight' in state and not any(key.startswith('detector.') for key in state)
    torch.save({'state_dict': {**state, **positions}, 'meta': {}}, tmp_path / 'mmdet.pth')

    config = load_config('grounding_dino_refshapes').model
    loaded = MODELS.build({**config, 'pretrained': str(tmp_path / 'mmdet.pth')})
    loaded.init_weights()
    assert all(value.equal(state[key]) for key, value in loaded.state_dict().items())

    distilled = build('grounding_dino_duet_refshapes')
    for model in (student, distilled):
        fitted, _ = fit_to_model({**state, **positions}, model)
        load_strictly(model, fitted, 'mmdet.pth')
        own = getattr(model, 'student', model)
        assert own.detector.level_embed.equal(state['level_embed'])
    # A moving average of the weights is kept in a copy, which must have the same names.
    averaged = copy.deepcopy(distilled)
    assert list(averaged.state_dict()) == list(distilled.state_dict()) and 'student.level_embed' in averaged.state_dict()
    averaged.load_state_dict({key: value + 1 for key, value in distilled.state_dict().items() if value.is_floating_point()},
                             strict=False)
    assert averaged.student.detector.level_embed.equal(state['level_embed'] + 1)
    assert distilled.student.detector.level_embed.equal(state['level_embed'])


def test_a_checkpoint_of_another_size_is_refused_by_its_shapes(student, tmp_path):
    state = {**student.state_dict(), 'query_embedding.weight': torch.zeros(900, 256)}
    torch.save(state, tmp_path / 'large.pth')
    config = load_config('grounding_dino_refshapes').model
    with pytest.raises(ValueError, match=r'query_embedding\.weight \(900, 256\) instead of \(12, 256\)'):
        MODELS.build({**config, 'pretrained': str(tmp_path / 'large.pth')})


def test_a_config_that_is_not_there_or_not_of_grounding_dino_is_refused():
    with pytest.raises(FileNotFoundError, match=r'no_such\.py: no config of the installed MMDetection'):
        read_detector('no_such.py', {})
    with pytest.raises(ValueError, match='the model is a DINO, not a GroundingDINO'):
        read_detector('dino/dino-4scale_r50_8xb2-12e_coco.py', {})


def test_a_canvas_that_is_no_whole_number_of_cells_is_refused(student):
    place = Canvas(size=60, left=0, top=0, width=60, height=60, scale_x=1, scale_y=1)
    with pytest.raises(ValueError, match=r'8 cells do not divide a canvas of 60 pixels: .* visual_level 0'):
        student(**student.data_preprocessor({'inputs': [torch.zeros(3, 60, 60, dtype=torch.uint8)],
                                             'data_samples': [make_sample('cup', place, (1.0, 1.0, 9.0, 9.0))]}))


def test_a_loss_in_eval_mode_is_refused(student):
    student.eval()
    with pytest.raises(RuntimeError, match='in training mode only'):
        student(**student.data_preprocessor(make_batch()), mode='loss')


def test_two_steps_of_duet_lower_the_loss_and_teach_student_and_head():
    model = build('grounding_dino_duet_refshapes')
    data = model.data_preprocessor(make_batch())
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=3e-4)
    totals = []
    for _ in range(3):
        torch.manual_seed(3)  # the same noise on the denoising queries
        losses = model(**data, mode='loss')
        totals.append(sum(losses.values()))
        optimizer.zero_grad()
        totals[-1].backward()
        optimizer.step()
    assert len(losses) == 15 + 5
    assert totals[2] < totals[1] < totals[0]
    assert all(p.grad is not None for p in [*model.student.parameters(), *model.head.parameters()])
