import torch

from mmduet.models import BaseGrounder
from mmduet.models.losses import BoxLoss
from mmduet.registry import MODELS
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
