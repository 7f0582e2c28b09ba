from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from mmduet.models.distill import FeatureTerm
from tests.distill_batch import make_batch, make_features, make_space, make_targets


@pytest.mark.parametrize('student', ['text', 'region', 'image'])
@pytest.mark.parametrize('teacher', ['text', 'region', 'image'])
def test_it_is_the_weighted_cosine_distance_of_both_embeddings(student, teacher):
    space, features, targets, batch = make_space(), make_features(), make_targets(), make_batch()
    term = FeatureTerm(space, student, teacher, weight=3.0)
    assert term.required_targets == {teacher}
    expected = 3 * (1 - F.cosine_similarity(space.embed(student, features, batch), getattr(targets, teacher))).mean()
    torch.testing.assert_close(term(features, targets, batch, 0), expected)


def test_a_student_that_has_the_teachers_embedding_costs_nothing():
    space, features, batch = make_space(), make_features(), make_batch()
    term = FeatureTerm(space, 'text', 'text')
    targets = replace(make_targets(), text=space.embed('text', features, batch).detach())
    assert term(features, targets, batch, 0).item() == pytest.approx(0, abs=1e-6)


def test_a_term_owns_no_projector_of_the_space():
    assert list(FeatureTerm(make_space(), 'text', 'text').parameters()) == []


def test_unknown_names_and_weights_are_refused():
    with pytest.raises(ValueError, match='not of'):
        FeatureTerm(make_space(), 'query', 'text')
    with pytest.raises(ValueError, match="image, region, text, not 'sound'"):
        FeatureTerm(make_space(), 'text', 'sound')
    with pytest.raises(ValueError, match="image, region, text, not 'similarity'"):
        FeatureTerm(make_space(), 'text', 'similarity')
    for weight in (0.0, -1.0):
        with pytest.raises(ValueError, match=r'FeatureTerm: the weight must be positive.*leave the term out, set it to None'):
            FeatureTerm(make_space(), 'text', 'text', weight)


def test_a_teacher_that_did_not_give_it_is_told_so():
    with pytest.raises(ValueError, match='the teacher gave no image'):
        FeatureTerm(make_space(), 'image', 'image')(make_features(), replace(make_targets(), image=None), make_batch(), 0)
