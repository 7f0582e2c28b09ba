from dataclasses import replace

import pytest
import torch

from mmduet.models.score_heads import AgreementScoreHead, with_score_head
from mmduet.structures import mean_without_padding, pool_regions
from tests.distill_batch import CHANNELS, make_features


def make_head(**widths):
    torch.manual_seed(0)
    return AgreementScoreHead(CHANNELS, widths or {'query': 6, 'text': 5})


def test_readings_are_cosines_at_the_box_and_of_the_best_rival():
    head, features = make_head(), make_features()
    readings = head.read(features)
    box, tokens = features.boxes[-1], features.answer_map.flatten(2).mT
    anchor = head.anchors['query'](features.query)
    inside = head.regions['query'](pool_regions(features.answer_map, box[:, None]))[:, 0]
    torch.testing.assert_close(readings[:, 0], (anchor * inside).sum(1))
    text = head.anchors['text'](mean_without_padding(features.text, features.text_padding))
    inside = head.regions['text'](pool_regions(features.visual, box[:, None]))[:, 0]
    torch.testing.assert_close(readings[:, 2], (text * inside).sum(1))
    side = tokens.shape[1]**0.5
    for row, (x, y, width, height) in enumerate(box.tolist()):
        rivals = [(anchor[row] @ head.regions['query'](token)).item() for k, token in enumerate(tokens[row])
                  if abs((k % side + 0.5) / side - x) > width / 2 or abs((k // side + 0.5) / side - y) > height / 2]
        assert readings[row, 1].item() == pytest.approx(max(rivals), abs=1e-6)


def test_a_rival_of_a_placed_region_is_a_box_of_its_size_around_another_token():
    head, features = make_head(placed=6), make_features()
    readings, box = head.read(features), features.boxes[-1]
    anchor, embed, side = head.anchors['placed'](features.query), head.regions['placed'], features.answer_map.shape[-1]
    torch.testing.assert_close(readings[:, 0], (anchor * embed(features.answer_map, box[:, None])[:, 0]).sum(1))
    for row, (x, y, width, height) in enumerate(box.tolist()):
        centres = [((column + 0.5) / side, (line + 0.5) / side) for line in range(side) for column in range(side)]
        boxes = torch.tensor([[u, v, width, height] for u, v in centres
                              if abs(u - x) > width / 2 or abs(v - y) > height / 2])
        rivals = embed(features.answer_map[row:row + 1], boxes[None])[0] @ anchor[row]
        assert readings[row, 1].item() == pytest.approx(rivals.max().item(), abs=1e-6)


def test_padding_is_no_rival_and_a_box_over_everything_has_none():
    head, features = make_head(), make_features()
    whole = features.boxes.new_tensor([0.5, 0.5, 1.0, 1.0]).expand_as(features.boxes)
    assert head.read(replace(features, boxes=whole))[:, 1::2].tolist() == [[-1.0, -1.0]] * 2
    padded = replace(features, visual_padding=torch.ones_like(features.visual_padding))
    assert head.read(padded)[:, 1::2].tolist() == [[-1.0, -1.0]] * 2


def test_the_logit_is_the_calibrated_sum_of_the_readings():
    head, features = make_head(text=5), make_features()
    head.scale.copy_(torch.tensor([2.0, -3.0]))
    head.bias.fill_(0.5)
    at_box, rival = head.read(features).T
    torch.testing.assert_close(head(features), 2 * at_box - 3 * rival + 0.5)


def test_nothing_of_it_is_trained():
    assert not any(parameter.requires_grad for parameter in make_head().parameters())
    assert make_head().loss(make_features(), None) == {}


@pytest.mark.parametrize('widths', [{'query': 6, 'text': 5}, {'text': 5}, {'query': 6}, {'placed': 6, 'text': 5}])
def test_its_config_is_told_from_its_weights(widths):
    state = {f'score_head.{key}': value for key, value in make_head(**widths).state_dict().items()}
    found = with_score_head({'type': 'X'}, state)
    assert found == {'type': 'X', 'score_head': dict(type='mmduet.AgreementScoreHead', channels=CHANNELS, embed_dims=widths)}
    assert with_score_head({'type': 'X'}, {'box_head.weight': torch.zeros(1)}) == {'type': 'X'}


@pytest.mark.parametrize('widths', [{}, {'image': 4}])
def test_a_space_that_is_not_there_is_refused(widths):
    with pytest.raises(ValueError, match='embed_dims must be by placed or query or text'):
        AgreementScoreHead(4, widths)
