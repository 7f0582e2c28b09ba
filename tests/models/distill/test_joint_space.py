import copy
from dataclasses import replace

import pytest
import torch

from mmduet.models.distill.joint_space import POOLING
from mmduet.structures import pool_regions
from tests.distill_batch import CHANNELS, EMBED_DIMS, make_batch, make_features, make_space


def test_an_embedding_is_the_projected_mean_of_what_its_name_says():
    space, features, batch = make_space(), make_features(), make_batch()
    space.require('text', 'region', 'image')
    pooled = {'text': features.text.mean(1), 'image': features.visual.mean((2, 3)),
              'region': pool_regions(features.visual, batch.target_boxes[:, None])[:, 0]}
    assert pooled.keys() == POOLING.keys()
    for name, value in pooled.items():
        embedded = space.embed(name, features, batch)
        assert embedded.shape == (2, EMBED_DIMS)
        torch.testing.assert_close(embedded, space.projectors[name](value))


def test_padding_of_text_and_image_changes_nothing():
    features, batch, space = make_features(), make_batch(), make_space()
    space.require('text', 'image')
    text_padding, visual_padding = torch.zeros(2, 5, dtype=torch.bool), torch.zeros(2, 4, 4, dtype=torch.bool)
    text_padding[0, 3:] = visual_padding[:, 3:] = True
    text, visual = features.text.detach().clone(), features.visual.detach().clone()
    text[0, 3:], visual[:, :, 3:] = 9.0, -9.0
    padded = replace(features, text_padding=text_padding, visual_padding=visual_padding)
    for name in ('text', 'image'):
        changed = space.embed(name, replace(padded, text=text, visual=visual), batch)
        torch.testing.assert_close(changed, space.embed(name, padded, batch))


def test_a_projector_is_made_once_whoever_asks_for_it():
    space = make_space()
    assert len(space.projectors) == 0
    space.require('text')
    first = space.projectors['text']
    space.require('region', 'text')
    assert space.projectors['text'] is first and set(space.projectors) == {'text', 'region'}
    assert sum(p.numel() for p in space.parameters()) == 2 * (8 * 8 + 8 + 8 * 6 + 6) and CHANNELS == 8


def test_what_no_student_has_is_refused():
    with pytest.raises(ValueError, match="embeddings of text, region, image, not of 'sound'"):
        make_space().require('text', 'sound')


def test_within_a_step_an_embedding_is_computed_once():
    space, features, batch = make_space(), make_features(), make_batch()
    embed = space.require('text')
    with space.once():
        assert embed('text', features, batch) is embed('text', features, batch)
    assert embed('text', features, batch) is not embed('text', features, batch)


def test_a_copy_has_projectors_of_its_own():
    space = make_space()
    embed = space.require('text')
    copied, _ = copy.deepcopy((space, embed))
    copied.projectors['text'].layers[0].weight.data.zero_()
    assert space.projectors['text'].layers[0].weight.abs().sum() > 0
