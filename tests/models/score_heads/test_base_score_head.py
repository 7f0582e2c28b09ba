import pytest
import torch

from mmduet.models.score_heads import ScoreHead
from tests.distill_batch import make_features


class Sides(ScoreHead):
    """Reads width and height of the last box."""

    def read(self, features):
        return features.boxes[-1][:, 2:]


def test_a_logit_is_the_weighed_sum_of_the_readings_and_a_bias_by_hand():
    head, features = Sides([2.0, -1.0]), make_features()
    head.bias.fill_(0.25)
    width, height = features.boxes[-1][:, 2:].T
    torch.testing.assert_close(head(features), 2 * width - height + 0.25)


def test_the_calibration_travels_with_the_weights_and_is_not_trained():
    head = Sides([2.0, -1.0])
    assert head.state_dict().keys() == {'scale', 'bias'} and list(head.parameters()) == []
    other = Sides([0.0, 0.0])
    other.load_state_dict(head.state_dict())
    assert other.scale.tolist() == [2, -1]


def test_a_head_that_something_else_trained_has_no_loss_and_one_without_readings_is_none():
    assert Sides([1.0, 1.0]).loss(make_features(), None) == {}
    with pytest.raises(TypeError, match='abstract'):
        ScoreHead([1.0])
