import pytest
import torch

from mmduet.models.score_heads import IoUScoreHead
from mmduet.structures.boxes import iou_cxcywh
from tests.distill_batch import CHANNELS, make_batch, make_features


def test_the_loss_is_the_cross_entropy_with_the_ious_of_the_boxes():
    head, features, batch = IoUScoreHead(CHANNELS, weight=2.0), make_features(), make_batch()
    iou, guess = iou_cxcywh(features.boxes[-1], batch.target_boxes), head(features).sigmoid()
    expected = -(iou * guess.log() + (1 - iou) * (1 - guess).log()).mean()
    losses = head.loss(features, batch)
    assert losses.keys() == {'loss_score'}
    torch.testing.assert_close(losses['loss_score'], 2 * expected)


def test_the_gradient_ends_at_the_features():
    head, features = IoUScoreHead(CHANNELS), make_features()
    given = (features.boxes, features.query, features.visual, features.text)
    assert any(tensor.requires_grad for tensor in given)
    head.loss(features, make_batch())['loss_score'].backward()
    assert all(tensor.grad is None for tensor in given if tensor.is_leaf)
    assert all(parameter.grad.abs().sum() > 0 for parameter in head.parameters())


def test_it_learns_which_boxes_fit():
    torch.manual_seed(0)
    head, features, batch = IoUScoreHead(CHANNELS), make_features(), make_batch()
    iou = iou_cxcywh(features.boxes[-1], batch.target_boxes).detach()
    optimizer = torch.optim.Adam(head.parameters(), 0.01)
    for _ in range(300):
        optimizer.zero_grad()
        head.loss(features, batch)['loss_score'].backward()
        optimizer.step()
    assert head(features).sigmoid().tolist() == pytest.approx(iou.tolist(), abs=0.02)
