from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from mmduet.models.distill import InImageRelationTerm
from tests.distill_batch import EMBED_DIMS, make_batch, make_features, make_space, make_targets


def with_others(batch=3):
    made, targets = make_batch(batch, others=True), make_targets(batch)
    crops = F.normalize(torch.randn(batch, 2, EMBED_DIMS, generator=torch.Generator().manual_seed(3)), dim=-1)
    return made, replace(targets, others=crops)


def test_the_text_chooses_among_the_boxes_of_its_image_as_teacher_and_location_say():
    batch, targets = with_others()
    space, features = make_space(), make_features(3)
    term = InImageRelationTerm(space, weight=0.7, temperature=0.2, location_temperature=0.5)
    assert term.required_targets == {'text', 'region', 'others', 'logit_scale'}
    text = space.embed('text', features, batch)
    expected = 0.0
    for row, count in enumerate((0, 1, 2)):
        boxes = torch.cat([batch.target_boxes[row:row + 1], batch.other_boxes[row, :count]])
        regions = space.embed_regions(replace(features, visual=features.visual), boxes.expand(3, -1, -1))[row]
        crops = torch.cat([targets.region[row:row + 1], targets.others[row, :count]])
        label = (20 * crops @ targets.text[row] + torch.tensor([2.0] + [0.0] * count)).softmax(dim=0)
        chosen = (regions @ text[row] / 0.2).log_softmax(dim=0)
        expected = expected + (label * (label.log() - chosen)).sum() / 3
    torch.testing.assert_close(term(features, targets, batch, 0), 0.7 * expected, rtol=1e-3, atol=1e-5)


def test_an_image_without_other_boxes_says_nothing():
    batch, targets = make_batch(2), replace(make_targets(2), others=torch.zeros(2, 0, EMBED_DIMS))
    assert InImageRelationTerm(make_space())(make_features(), targets, batch, 0) == 0


def test_the_space_is_the_heads_and_no_part_of_the_term():
    assert list(InImageRelationTerm(make_space()).parameters()) == []
    with pytest.raises(ValueError, match='temperatures must be positive'):
        InImageRelationTerm(make_space(), location_temperature=0)
