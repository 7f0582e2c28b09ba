import torch

from mmduet.models import BaseGrounder, IoUScoreHead
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
