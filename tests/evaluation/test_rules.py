import json

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmduet.evaluation import GroundingMetric, OriginalPixelsRule, TransVGRule, VLTVGRule
from mmduet.evaluation.rules import Answer, clip_corners, transvg_target
from mmduet.structures import Canvas
from tests.shared_data import shared


def answer(box, target, ori_shape=(100, 100), canvas_box=None, canvas=None):
    return Answer(box=torch.tensor(box), target=torch.tensor(target), ori_shape=ori_shape, canvas=canvas,
                  canvas_box=None if canvas_box is None else torch.tensor(canvas_box))


def square_canvas(size=100):
    return Canvas(size=size, left=0, top=0, width=size, height=size, scale_x=1.0, scale_y=1.0)


@pytest.mark.parametrize(('box', 'overlap'), [
    ([0.0, 0.0, 10.0, 10.0], 1.0), ([0.0, 0.0, 10.0, 5.0], 0.5), ([5.0, 5.0, 15.0, 15.0], 25 / 175),
    ([10.0, 0.0, 20.0, 10.0], 0.0),
    ([3.0, 3.0, 3.0, 3.0], 0.0), ([-50.0, -50.0, 10.0, 10.0], 1.0), ([float('nan')] * 4, 0.0)])
def test_the_overlap_is_that_of_clipped_boxes_and_never_nan(box, overlap):
    assert float(OriginalPixelsRule().overlap(answer(box, [0.0, 0.0, 10.0, 10.0]))) == pytest.approx(overlap, abs=1e-12)


def test_two_boxes_without_area_do_not_overlap():
    assert float(OriginalPixelsRule().overlap(answer([3.0, 3.0, 3.0, 3.0], [3.0, 3.0, 3.0, 3.0]))) == 0.0


def test_an_overlap_of_exactly_half_is_a_hit_for_us_and_transvg_and_a_miss_for_vltvg():
    half = answer([0.0, 0.0, 50.0, 100.0], [0.0, 0.0, 100.0, 100.0], canvas_box=[0.25, 0.5, 0.5, 1.0], canvas=square_canvas())
    for rule, hit in ((OriginalPixelsRule(), True), (TransVGRule(), True), (VLTVGRule(), False)):
        assert float(rule.overlap(half)) == 0.5
        assert rule.is_hit(rule.overlap(half), 0.5) is hit


def test_clipping_is_to_the_image_not_to_its_square():
    assert clip_corners(torch.tensor([-1.0, -1.0, 90.0, 90.0]), (40, 60)).tolist() == [0, 0, 60, 40]


def test_transvg_keeps_the_part_of_a_box_that_lies_in_the_padding():
    canvas = Canvas(size=100, left=0, top=25, width=100, height=50, scale_x=1.0, scale_y=1.0)
    into_padding = answer([0.0, 0.0, 50.0, 50.0], [0.0, 0.0, 50.0, 50.0], (50, 100), [0.25, 0.5, 0.5, 1.0], canvas)
    assert float(TransVGRule().overlap(into_padding)) == pytest.approx(0.5)
    assert float(OriginalPixelsRule().overlap(into_padding)) == 1.0


def test_transvg_cuts_the_target_to_whole_pixels_but_not_a_whole_size_to_one_less():
    target = torch.tensor([409.89, 30.2, 409.89 + 142.0, 30.2 + 17.99])
    box = transvg_target(target, (640, 640), square_canvas(640)) * 640
    assert box.tolist() == pytest.approx([409 + 71, 30 + 8.5, 142, 17])


def test_transvg_needs_the_canvas():
    with pytest.raises(ValueError, match=r'samples need canvas and pred_instances\.canvas_boxes'):
        TransVGRule().overlap(answer([0.0] * 4, [0.0] * 4))


def kit_answers(name):
    for case in json.loads(shared(f'parity/dev/{name}_eval.json').read_text())['cases']:
        width, height = case['width'], case['height']
        ratio = 640 / max(width, height)
        resized = round(width * ratio), round(height * ratio)
        canvas = Canvas(size=640, left=round((640 - resized[0]) / 2 - 0.1), top=round((640 - resized[1]) / 2 - 0.1),
                        width=resized[0], height=resized[1], scale_x=resized[0] / width, scale_y=resized[1] / height)
        x, y, w, h = torch.tensor(case['gt_xywh'], dtype=torch.float32)
        predicted = torch.tensor(case['pred'])
        limit = torch.tensor([width, height] * 2, dtype=torch.float32)
        box = torch.minimum(canvas.to_image(predicted[None])[0].clamp(min=0), limit)
        yield case, Answer(box=box, target=torch.stack([x, y, x + w, y + h]), ori_shape=(height, width), canvas=canvas,
                           canvas_box=predicted)


@pytest.mark.parity
def test_all_hits_of_the_transvg_kit_agree():
    rule, seen = TransVGRule(), 0
    for case, given in kit_answers('transvg'):
        overlap = rule.overlap(given)
        assert float(overlap) == pytest.approx(case['iou'], abs=1e-4)
        assert rule.is_hit(overlap, 0.5) == bool(case['hit']), case
        target = transvg_target(given.target, given.ori_shape, given.canvas)
        assert target.tolist() == pytest.approx(case['gt_canvas'], abs=1e-6)
        seen += 1
    assert seen == 200


@pytest.mark.parity
def test_all_hits_of_the_vltvg_kit_agree_at_every_threshold():
    rule, seen = VLTVGRule(), 0
    for case, given in kit_answers('vltvg'):
        overlap = rule.overlap(given)
        assert float(overlap) == pytest.approx(case['iou'], abs=1e-4)
        assert given.box.tolist() == pytest.approx(case['pred_original_xyxy'], abs=1e-3)
        assert {name: int(rule.is_hit(overlap, float(name))) for name in case['hits']} == case['hits'], case
        seen += 1
    assert seen == 200


@pytest.mark.parametrize('rule', [OriginalPixelsRule(), VLTVGRule()])
def test_where_several_boxes_are_right_the_best_overlap_counts(rule):
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    answer = Answer(box=torch.tensor([20.0, 20, 30, 25]), target=boxes[0], ori_shape=(40, 40), accepted=boxes)
    assert rule.overlap(answer).item() == 0.5


@pytest.mark.parity
@pytest.mark.parametrize(('name', 'rule'), [('transvg', TransVGRule), ('vltvg', VLTVGRule)])
def test_the_metric_counts_the_hits_of_the_kits(name, rule):
    cases, samples = [], []
    for number, (case, given) in enumerate(kit_answers(name)):
        sample = DetDataSample(metainfo={'expression_id': str(number), 'split': 'val', 'ori_shape': given.ori_shape,
                                         'canvas': given.canvas})
        sample.gt_instances = InstanceData(bboxes=given.target[None])
        sample.pred_instances = InstanceData(bboxes=given.box[None], canvas_boxes=given.canvas_box[None])
        cases.append(case)
        samples.append(sample)
    hits = [case.get('hits', {'0.5': case.get('hit')}) for case in cases]
    metric = GroundingMetric(thresholds=[float(threshold) for threshold in hits[0]], rule=dict(type=rule))
    metric.process(None, samples)
    metrics = metric.evaluate(200)
    for threshold in hits[0]:
        assert metrics[f'acc@{float(threshold):g}'] == pytest.approx(sum(int(one[threshold]) for one in hits) / 2)
