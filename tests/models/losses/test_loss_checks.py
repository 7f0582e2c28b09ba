"""What the losses of a model promise."""
import pytest
import torch

from mmduet.models.losses.loss_checks import check_losses

ONE = torch.ones((), requires_grad=True)


@pytest.mark.parametrize(('losses', 'error', 'sentence'), [
    (ONE, TypeError, r"^Mine\.loss must return a mapping from names to scalars, as \{'loss_bbox': \.\.\.\}, got Tensor$"),
    (None, TypeError, 'got NoneType$'),
    ({'loss_a': ONE, 'loss_b': 1.5}, TypeError, r"^Mine\.loss: 'loss_b' must be a tensor, got float$"),
    ({'loss_a': ONE, 'giou': ONE}, ValueError, r"""^Mine\.loss: 'giou' has no "loss" in its name, .* call it 'loss_giou'$"""),
    ({'accuracy': torch.ones(())}, ValueError, r"^Mine\.loss returned no loss, only 'accuracy'$"),
    ({}, ValueError, 'returned no loss, only nothing$'),
    ({'loss_a': ONE.detach()}, ValueError, 'no loss has a gradient: are all weights frozen, or is something detached')])
def test_losses_that_could_not_be_trained_are_refused(losses, error, sentence):
    with pytest.raises(error, match=sentence):
        check_losses(losses, 'Mine.loss')


def test_figures_beside_losses_lists_and_constants_are_taken():
    check_losses({'loss_a': [ONE, ONE], 'loss_b': torch.zeros(()), 'accuracy': torch.ones(())}, 'Mine.loss')


def test_without_gradients_none_is_asked_for():
    with torch.no_grad():
        check_losses({'loss_a': ONE * 2}, 'Mine.loss')
