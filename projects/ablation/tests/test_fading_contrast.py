import pytest
import torch

from mmduet.models.distill import RankedContrastTerm
from projects.ablation.fading_contrast import FadingContrastTerm
from tests.distill_batch import make_batch, make_features, make_space, make_targets


def loss_of(kind, step, **settings):
    torch.manual_seed(0)
    return kind(make_space(), **settings)(make_features(), make_targets(), make_batch(), step)


@pytest.mark.parametrize(('step', 'share'), [(0, 1.0), (25, 0.75), (99, 0.01), (100, 0.0), (150, 0.0)])
def test_the_weight_falls_to_nothing(step, share):
    torch.testing.assert_close(loss_of(FadingContrastTerm, step, last_update=100), share * loss_of(RankedContrastTerm, step))


def test_an_end_before_the_beginning_is_refused():
    with pytest.raises(ValueError, match='last_update must be positive, got 0'):
        FadingContrastTerm(make_space(), last_update=0)
