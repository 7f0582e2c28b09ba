from dataclasses import replace

import pytest
import torch

from mmduet.models import GroundingDataPreprocessor
from mmduet.structures import Canvas
from tests.tiny_transvg import make_batch, make_sample


@pytest.fixture
def batch():
    return GroundingDataPreprocessor()(make_batch())['batch']


def share(count):
    """``count`` expressions about the first of two images, then one about the other."""
    data = make_batch()
    first, second = data['data_samples']
    box = tuple(first.gt_instances.bboxes[0].tolist())
    samples = [make_sample(f'thing {k}', first.canvas, box, key='a') for k in range(count)]
    return GroundingDataPreprocessor()({'inputs': [data['inputs'][0]] * count + [data['inputs'][1]],
                                        'data_samples': [*samples, second]})['batch']


def test_an_image_with_one_expression_needs_no_look_up(batch):
    assert len(batch) == 2 and batch.size == 64 and batch.shared_index is None
    assert batch.image_index.tolist() == [0, 1]
    assert batch.expand(batch.pixels) is batch.pixels


def test_an_image_with_several_expressions_is_there_once():
    batch = share(3)
    assert (len(batch), len(batch.pixels), len(batch.views)) == (4, 2, 2)
    assert batch.shared_index.tolist() == [0, 0, 0, 1]
    assert batch.expand(batch.content).tolist() == [[0, 8, 64, 56]] * 3 + [[16, 0, 48, 64]]


def test_a_target_of_several_expressions_is_there_once_and_given_to_each(batch):
    shared = share(3)
    assert shared.first_of_target.tolist() == [0, 3] and shared.target_index.tolist() == [0, 0, 0, 1]
    once = shared.of_targets(shared.target_boxes)
    assert once.shape == (2, 4) and torch.equal(shared.expand_targets(once), shared.target_boxes)
    assert batch.first_of_target is None and batch.target_index is None
    assert batch.of_targets(batch.boxes) is batch.boxes and batch.expand_targets(batch.boxes) is batch.boxes


def test_padding_lies_where_the_content_does_not(batch):
    assert batch.padding(8)[0].int().tolist() == [[1] * 8] + [[0] * 8] * 6 + [[1] * 8]
    assert batch.padding(4)[1].int().tolist() == [[1, 0, 0, 1]] * 4
    assert batch.has_padding


def test_images_are_the_bytes_again_and_black_at_padding(batch):
    images, data = batch.images(), make_batch()
    assert torch.allclose(images[1, :, :, 16:48] * 255, data['inputs'][1].float(), atol=1e-3)
    assert images[1, :, :, :16].abs().sum() == 0


def test_targets_are_centre_boxes_of_the_canvas(batch):
    # (10, 20, 60, 80) halved and moved 8 px down a 64 px canvas; (0, 30, 40, 128) halved and moved 16 px right.
    assert torch.allclose(batch.target_boxes, torch.tensor([[17.5, 33.0, 25.0, 30.0], [26.0, 39.5, 20.0, 49.0]]) / 64)
    assert batch.has_box.tolist() == [[True], [True]]


@pytest.mark.parametrize('count', [0, 2])
def test_none_or_several_targets_are_not_taken_for_one(batch, count):
    changed = replace(batch, boxes=torch.zeros(2, count, 4), has_box=torch.ones(2, count, dtype=torch.bool))
    with pytest.raises(ValueError, match=f'one target box for each expression is needed, the batch has up to {count}'):
        assert changed.target_boxes is None


def test_views_say_what_of_the_image_is_shown_where(batch):
    view = batch.views[0]
    assert (view.flip, view.window) == (False, (0.0, 0.0, 1.0, 1.0))
    assert view.canvas == Canvas(size=64, left=0, top=8, width=64, height=48, scale_x=0.5, scale_y=0.5)


@pytest.mark.parametrize(('change', 'sentence'), [
    (dict(content=torch.zeros(3, 4)), r'content must be \(U, 4\) with U = 2 as in pixels'),
    (dict(has_box=torch.ones(2, 1)), 'has_box must be bool'),
    (dict(texts=('one', )), 'texts must have 2 entries, got 1'),
    (dict(owner=(0, )), 'owner must have 2 entries, got 1'),
    (dict(owner=(1, 0)), r'owner must name 2 images in the order 0, 1, \.\.\., got \(1, 0\)'),
    (dict(owner=(0, 0)), r'owner must name 2 images in the order 0, 1, \.\.\., got \(0, 0\)'),
    (dict(image_index=torch.zeros(1, dtype=torch.long), boxes=torch.zeros(1, 1, 4), has_box=torch.ones(1, 1).bool(),
          has_other=torch.zeros(1, 0).bool(), other_number=None, texts=('one', ), owner=(0, ), sources=(None, ),
          samples=[None]),
     '2 images for 1 expressions')])
def test_fields_that_disagree_are_named(batch, change, sentence):
    with pytest.raises(ValueError, match=f'GroundingBatch.*{sentence}'):
        replace(batch, **change)
