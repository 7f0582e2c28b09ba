import pytest
import torch
from torch import nn

from mmduet.models import DUETHead
from mmduet.models.distill import RankedContrastTerm
from projects.ablation.averaged_regions import AveragedRegionsTerm, AveragedStudentGrounder
from tests.models.distill.test_distilled_grounder import build, losses_of


def head_with(term):
    return dict(type=DUETHead, terms=dict(contrast=dict(type=term, weight=1.0)))


@pytest.fixture
def model(tmp_path):
    return build(tmp_path, type=AveragedStudentGrounder, momentum=0.75,
                 head=head_with(AveragedRegionsTerm))


def test_the_average_begins_as_the_student_and_follows_it(model):
    model.train()
    losses_of(model)
    first = next(model.student.parameters())
    begun = first.detach().clone()
    average = next(model.average[0].parameters())
    assert torch.equal(average, begun) and not model.average[0].training
    with torch.no_grad():
        first.add_(1.0)
    losses_of(model)
    assert torch.allclose(average, begun + 0.25)


def test_the_predicted_region_learns_and_the_average_does_not(model):
    model.train()
    losses_of(model)['loss_contrast'].backward()
    term = model.head.terms['contrast']
    assert all(parameter.grad.abs().sum() > 0 for parameter in (*term.predictor.parameters(), *term.regions.parameters(),
                                                                *term.anchor.parameters()))
    assert all(parameter.grad is None for module in model.average for parameter in module.parameters())
    assert not any('average' in name for name in model.state_dict())


def test_with_a_predictor_that_changes_nothing_it_is_twice_the_ranked_contrast(tmp_path, model):
    ranked = build(tmp_path, head=head_with(RankedContrastTerm))
    ranked.load_state_dict({name: value for name, value in model.state_dict().items() if 'predictor' not in name})
    expected = losses_of(ranked.eval())['loss_contrast'].item()
    assert losses_of(model.eval())['loss_contrast'].item() > expected
    model.head.terms['contrast'].predictor = nn.Identity()
    assert losses_of(model)['loss_contrast'].item() == pytest.approx(2 * expected, rel=1e-6)
