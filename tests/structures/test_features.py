import pytest
import torch

from mmduet.structures import GroundingFeatures, TeacherTargets


def features(**changes):
    fields = dict(boxes=torch.zeros(1, 2, 4), query=torch.zeros(2, 8), visual=torch.zeros(2, 8, 3, 5),
                  text=torch.zeros(2, 6, 8),
                  visual_padding=torch.zeros(2, 3, 5, dtype=torch.bool), text_padding=torch.zeros(2, 6, dtype=torch.bool))
    return GroundingFeatures(**{**fields, **changes})


def test_features_that_agree_are_accepted():
    assert features().visual.shape == (2, 8, 3, 5)


@pytest.mark.parametrize(('name', 'shape'), [('boxes', (2, 4)), ('query', (2, 7)), ('text', (3, 6, 8)),
                                             ('text_padding', (2, 5)), ('visual_padding', (2, 5, 3)), ('fused', (2, 8, 3, 4))])
def test_a_field_of_another_shape_is_named(name, shape):
    dtype = torch.bool if 'padding' in name else torch.float32
    with pytest.raises(ValueError, match='GroundingFeatures'):
        features(**{name: torch.zeros(shape, dtype=dtype)})


def test_a_padding_of_numbers_is_refused():
    with pytest.raises(ValueError, match='text_padding must be bool'):
        features(text_padding=torch.zeros(2, 6))


def test_targets_may_be_partial_and_must_agree():
    targets = TeacherTargets(text=torch.zeros(2, 4), patches=torch.zeros(2, 4, 3, 3))
    assert targets.region is None and TeacherTargets().text is None
    with pytest.raises(ValueError, match='image must have shape'):
        TeacherTargets(text=torch.zeros(2, 4), image=torch.zeros(2, 5))
    with pytest.raises(ValueError, match='patches must be'):
        TeacherTargets(text=torch.zeros(2, 4), patches=torch.zeros(2, 4))


def test_a_similarity_map_and_distractors_have_their_own_shapes():
    targets = TeacherTargets(similarity=torch.zeros(2, 3, 5), distractors=torch.zeros(2, 0, 4), text=torch.zeros(2, 4))
    assert targets.similarity.shape == (2, 3, 5)
    with pytest.raises(ValueError, match=r'similarity must be \(B, h, w\)'):
        TeacherTargets(similarity=torch.zeros(2, 1, 3, 5))
    with pytest.raises(ValueError, match=r'similarity must have shape \(2, 3, 5\)'):
        TeacherTargets(text=torch.zeros(2, 4), similarity=torch.zeros(3, 3, 5))
    with pytest.raises(ValueError, match=r'distractors must have shape \(2, 7, 4\)'):
        TeacherTargets(text=torch.zeros(2, 4), distractors=torch.zeros(2, 7, 5))


def test_targets_with_a_gradient_are_refused():
    with pytest.raises(ValueError, match='frozen'):
        TeacherTargets(text=torch.zeros(2, 4, requires_grad=True))
