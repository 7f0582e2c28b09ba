import pytest
import torch

from mmduet.structures import PER_EXPRESSION, PER_IMAGE, TARGET_NAMES, TeacherTargets


def test_targets_may_be_partial_and_must_agree():
    targets = TeacherTargets(text=torch.zeros(2, 4), patches=torch.zeros(2, 4, 3, 3))
    assert targets.region is None and TeacherTargets().text is None
    with pytest.raises(ValueError, match=r'image must be \(B, D\) with D = 4 as in text, got \(2, 5\)'):
        TeacherTargets(text=torch.zeros(2, 4), image=torch.zeros(2, 5))
    with pytest.raises(ValueError, match=r'patches must be \(U, D, h, w\)'):
        TeacherTargets(text=torch.zeros(2, 4), patches=torch.zeros(2, 4))


def test_every_field_has_its_own_axes_and_width():
    targets = TeacherTargets(
        text=torch.zeros(3, 4), boxes=torch.zeros(3, 5, 4), scores=torch.zeros(3, 5), similarity=torch.zeros(3, 7, 6),
        patches=torch.zeros(2, 4, 8, 8), feature_map=torch.zeros(2, 11, 9, 9), others=torch.zeros(2, 0, 4),
        logit_scale=torch.tensor(100.0), logit_bias=torch.tensor(-10.0))
    assert targets.given().keys() == TARGET_NAMES - {'region', 'image'}
    with pytest.raises(ValueError, match=r'scores must be \(B, k\) with k = 5 as in boxes'):
        TeacherTargets(boxes=torch.zeros(3, 5, 4), scores=torch.zeros(3, 6))
    with pytest.raises(ValueError, match=r'feature_map must be \(U, E, height, width\) with U = 2'):
        TeacherTargets(patches=torch.zeros(2, 4, 8, 8), feature_map=torch.zeros(3, 11, 9, 9))
    with pytest.raises(ValueError, match=r'logit_scale must be \(\), got \(1,\)'):
        TeacherTargets(logit_scale=torch.zeros(1))


def test_which_fields_go_by_expression_and_which_by_image():
    assert {'text', 'region', 'image', 'similarity', 'boxes', 'scores'} == PER_EXPRESSION
    assert {'patches', 'others', 'feature_map'} == PER_IMAGE


def test_targets_with_a_gradient_are_refused():
    with pytest.raises(ValueError, match='frozen'):
        TeacherTargets(text=torch.zeros(2, 4, requires_grad=True))


def test_what_was_not_given_is_named():
    targets = TeacherTargets(text=torch.zeros(2, 4))
    assert targets.get('text') is targets.text
    with pytest.raises(ValueError, match='the teacher gave no region, only text'):
        targets.get('region')


@pytest.mark.parametrize(('value', 'kind'), [(20.0, 'float'), (torch.zeros(()).numpy(), 'ndarray')])
def test_what_is_no_tensor_is_refused(value, kind):
    with pytest.raises(TypeError, match=f'^TeacherTargets.logit_scale must be a tensor, got {kind}$'):
        TeacherTargets(logit_scale=value)
