import pytest
import torch
from torch.utils.data import DataLoader

from mmduet.models.distill import DenseContrastTerm, RankedContrastTerm
from mmduet.models.task_modules import LocationSampler
from projects.ablation.anchors import chooses_targets, chosen_by_anchors, mean_anchor_cosine, mean_cosine, nearness
from tests.distill_batch import make_batch, make_features, make_space


def test_the_mean_cosine_of_pairs_by_hand():
    assert mean_cosine(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])) == pytest.approx(1 / 3)
    assert mean_cosine(torch.tensor([[0.6, 0.8]] * 4)) == pytest.approx(1)


def test_a_model_without_a_contrast_has_none():
    assert mean_anchor_cosine(torch.nn.Linear(1, 1), DataLoader([])) is None
    assert chosen_by_anchors(torch.nn.Linear(1, 1), DataLoader([])) is None


@pytest.mark.parametrize('nearest', [0, 1])
def test_an_anchor_chooses_the_annotated_box_whose_region_is_nearest(nearest):
    torch.manual_seed(0)
    term = RankedContrastTerm(make_space(), sampler=dict(type=LocationSampler))
    features, batch = make_features(3), make_batch(3, others=True)
    boxes = torch.stack([batch.target_boxes, batch.expand(batch.other_boxes)[:, 0]], dim=1)
    with torch.no_grad():
        embedded = term.regions(features.answer_map, boxes)
        term.anchors = lambda features: embedded[:, nearest]
        chosen = chooses_targets(term, features, batch)
    assert batch.has_other[:, 0].any()
    assert torch.equal(chosen, ~batch.has_other[:, 0] if nearest else torch.ones(3, dtype=torch.bool))


def test_a_dense_anchor_is_as_near_to_a_box_as_to_the_tokens_that_it_covers_each_by_its_share():
    torch.manual_seed(0)
    term, features, batch = DenseContrastTerm(make_space()), make_features(3), make_batch(3, others=True)
    tokens = features.answer_map.flatten(2).mT
    rows, columns = features.answer_map.shape[2:]
    # One and a half tokens of the first row, from the left; and one token of the last.
    boxes = torch.tensor([[0.75 / columns, 0.5 / rows, 1.5 / columns, 1 / rows],
                          [1 - 0.5 / columns, 1 - 0.5 / rows, 1 / columns, 1 / rows]]).repeat(3, 1, 1)
    with torch.no_grad():
        cosines = torch.einsum('bd,bnd->bn', term.anchors(features), term.projector(tokens))
        near = nearness(term, features, boxes)
        chosen = chooses_targets(term, features, batch)
        annotated = nearness(term, features, torch.cat([batch.target_boxes[:, None], batch.expand(batch.other_boxes)], dim=1))
    torch.testing.assert_close(near, torch.stack([(cosines[:, 0] + 0.5 * cosines[:, 1]) / 1.5, cosines[:, -1]], dim=1))
    best = annotated[:, 1:].masked_fill(~batch.has_other, -2).amax(dim=1)
    assert torch.equal(chosen, annotated[:, 0] >= best)
