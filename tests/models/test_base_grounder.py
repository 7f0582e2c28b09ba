from dataclasses import replace

import pytest
import torch
from mmengine.logging import MMLogger
from torch import nn

from mmduet.models import BaseGrounder, GroundingDataPreprocessor, IoUScoreHead
from mmduet.models.layers.tokenizers import HashingTokenizer
from mmduet.models.losses import BoxLoss
from mmduet.registry import MODELS
from mmduet.structures import GroundingFeatures
from tests.tiny_transvg import make_batch, tiny_transvg_config


def test_the_inherited_loss_compares_the_last_boxes_with_the_targets_of_the_batch():
    model = MODELS.build(tiny_transvg_config(box_loss=dict(type=BoxLoss, l1_weight=3.0, giou_weight=2.0)))
    batch = model.data_preprocessor(make_batch(), True)['batch']
    features = model(batch)
    losses = model.loss(features, batch)
    expected = 3 * (features.boxes[-1] - batch.target_boxes).abs().sum(1).mean()
    torch.testing.assert_close(losses['loss_bbox'], expected)
    assert losses.keys() == {'loss_bbox', 'loss_giou'} and type(model).loss is BaseGrounder.loss


def test_a_student_hands_its_tokenizer_to_the_batches():
    model = MODELS.build(tiny_transvg_config())
    assert model.data_preprocessor.tokenizer is model.text_encoder.tokenizer
    assert model.data_preprocessor(make_batch())['batch'].token_ids.shape == (2, 8)


def test_without_a_score_head_every_score_is_1():
    model = MODELS.build(tiny_transvg_config()).eval()
    assert [sample.pred_instances.scores.tolist() for sample in model.test_step(make_batch())] == [[1.0], [1.0]]


def test_a_score_head_gives_scores_and_a_loss_and_leaves_the_boxes_alone():
    torch.manual_seed(3)
    plain = MODELS.build(tiny_transvg_config()).eval()
    torch.manual_seed(3)
    scored = MODELS.build(tiny_transvg_config(score_head=dict(type=IoUScoreHead, channels=32))).eval()
    answers = list(zip(plain.test_step(make_batch()), scored.test_step(make_batch()), strict=True))
    assert all(torch.equal(one.pred_instances.canvas_boxes, two.pred_instances.canvas_boxes) for one, two in answers)
    batch = scored.data_preprocessor(make_batch(), True)['batch']
    features = scored(batch)
    expected = scored.score_head(features).sigmoid()
    torch.testing.assert_close(torch.cat([two.pred_instances.scores for _, two in answers]), expected)
    losses, others = scored.loss(features, batch), plain.loss(features, batch)
    assert losses.keys() - others.keys() == {'loss_score'}
    assert all(torch.equal(losses[name], others[name]) for name in others)
    sum(others.values()).backward(retain_graph=True)
    before = [None if p.grad is None else p.grad.clone() for p in scored.fusion.parameters()]
    losses['loss_score'].backward()
    assert all(torch.equal(p.grad, grad) for p, grad in zip(scored.fusion.parameters(), before, strict=True))


def test_scores_are_computed_in_full_precision_under_autocast():
    scored = MODELS.build(tiny_transvg_config(score_head=dict(type=IoUScoreHead, channels=32))).eval()
    batch = scored.data_preprocessor(make_batch())['batch']
    with torch.autocast('cpu', dtype=torch.bfloat16), torch.inference_mode():
        assert scored.confidence(scored(batch)).dtype == torch.float32


class Changed(BaseGrounder):
    """A student of one weight, whose features and losses a test changes."""

    def __init__(self, features=lambda features: features, losses=lambda loss: {'loss_x': loss}, channels=4):
        super().__init__(dict(type=GroundingDataPreprocessor))
        self.channels = channels
        self.weight = nn.Parameter(torch.ones(()))
        self.features, self.losses = features, losses

    def extract(self, batch):
        count, size = len(batch), 4
        return self.features(GroundingFeatures(
            boxes=torch.rand(1, count, 4) * self.weight, query=torch.rand(count, 4), visual=torch.rand(count, 4, size, size),
            visual_padding=torch.zeros(count, size, size, dtype=torch.bool), text=torch.rand(count, 3, 4),
            text_padding=torch.zeros(count, 3, dtype=torch.bool)))

    def loss(self, features, batch):
        return self.losses(features.boxes.sum())


def first_row(features):
    return GroundingFeatures(boxes=features.boxes[:, :1], query=features.query[:1], visual=features.visual[:1],
                             visual_padding=features.visual_padding[:1], text=features.text[:1],
                             text_padding=features.text_padding[:1])


@pytest.mark.parametrize(('changes', 'error', 'sentence'), [
    (dict(features=lambda features: {'boxes': features.boxes}), TypeError,
     r'^Changed\.extract must return GroundingFeatures, or a dataclass that extends them, got dict$'),
    (dict(features=lambda features: None), TypeError, 'got NoneType$'),
    (dict(features=first_row), ValueError, r'^Changed\.extract returned features of 1 expression for a batch of 2: '),
    (dict(channels=9), ValueError, r'^Changed\.extract returned features of 4 channels, and Changed\.channels is 9: '),
    (dict(losses=lambda loss: {'loss_x': loss, 'cls': loss}), ValueError, r'^Changed\.loss: \'cls\' has no "loss" in its name'),
    (dict(losses=lambda loss: {'loss_x': loss.detach()}), ValueError, r'^Changed\.loss: no loss has a gradient')])
def test_what_a_student_of_ones_own_gets_wrong_is_said(changes, error, sentence):
    model = Changed(**changes)
    batch = model.data_preprocessor(make_batch(), True)['batch']
    with pytest.raises(error, match=sentence):
        model(batch, mode='loss')


@pytest.mark.parametrize(('factor', 'warnings'), [(64, 1), (1, 0)])
def test_boxes_in_pixels_are_warned_of_once_in_prediction(factor, warnings, caplog):
    def scaled(features):
        return replace(features, boxes=torch.full_like(features.boxes, 0.5) * factor)

    model = Changed(features=scaled)
    MMLogger.get_instance('test_units').addHandler(caplog.handler)
    for _ in range(2):
        batch = model.data_preprocessor(make_batch())['batch']
        model(batch, mode='predict')
    said = [record.getMessage() for record in caplog.records if 'boxes of up to' in record.getMessage()]
    assert said == ['Changed.extract returned boxes of up to 32: they must be cxcywh in [0, 1] of the canvas; divide pixels '
                    'of the canvas by batch.size'] * warnings


def test_a_student_without_a_box_loss_is_told_to_have_a_loss():
    class Plain(Changed):
        loss = BaseGrounder.loss

    model = Plain()
    with pytest.raises(ValueError, match=r'^Plain has no box_loss: give one to super\(\)\.__init__, or write a loss'):
        model(model.data_preprocessor(make_batch(), True)['batch'], mode='loss')


def test_a_tokenizer_before_the_base_is_refused():
    class Early(Changed):
        def __init__(self):
            self.use_tokenizer(HashingTokenizer(2000, 8))
            super().__init__()

    with pytest.raises(ValueError, match=r'^Early\.__init__ must call super\(\)\.__init__\(data_preprocessor, \.\.\.\) before'):
        Early()
