import logging

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmduet.engine.gradients import (
    DeferredNorms,
    collect_gradients,
    count_updates_to,
    defer_norms,
    is_updated,
    of_rank,
    restore_gradients,
    tells_no_loss,
)


@pytest.fixture
def model():
    model = nn.Linear(2, 1)
    model(torch.tensor([[3.0, 5.0]])).sum().backward()
    return model


def test_gradients_come_back_and_go_on_summing(model):
    kept = collect_gradients(model)
    assert len(kept) == 1 and kept[0]['weight'].tolist() == [[3.0, 5.0]] and kept[0]['bias'].tolist() == [1.0]
    model.zero_grad()
    restore_gradients(model, kept[0])
    model(torch.tensor([[1.0, 1.0]])).sum().backward()
    assert model.weight.grad.tolist() == [[4.0, 6.0]] and kept[0]['weight'].tolist() == [[3.0, 5.0]]


def test_what_has_no_gradient_is_not_kept(model):
    model.bias.grad = None
    assert set(collect_gradients(model)[0]) == {'weight'}


@pytest.mark.parametrize(('kept', 'rank', 'ranks', 'found'), [
    ([{'a': 1}, {'b': 2}], 1, 2, {'b': 2}), ([{'a': 1}], 0, 2, None), (None, 0, 1, None)])
def test_a_rank_has_its_own_unless_there_were_another_number(kept, rank, ranks, found):
    assert of_rank(kept, rank, ranks) == found


def test_a_last_update_is_that_of_the_last_step_though_training_stops_before(model):
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), accumulative_counts=3)
    wrapper.initialize_count_status(model, 0, 4)  # a training that stops after four steps
    count_updates_to(wrapper, 6)
    updates = []
    for _ in range(4):
        wrapper._inner_count += 1
        updates.append(is_updated(wrapper))
    assert updates == [False, False, True, False]


def test_the_warning_of_lost_gradients_is_left_out():
    def record(text):
        return logging.LogRecord('a', logging.WARNING, 'a.py', 1, text, (), None)
    assert not tells_no_loss(record('Resumed iteration number is not divisible by ...')) and tells_no_loss(record('Resumed'))


def test_gradients_are_clipped_at_once_and_their_norms_told_later(model):
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0), clip_grad=dict(max_norm=1.0))
    norms = defer_norms(wrapper)
    assert isinstance(norms, DeferredNorms) and defer_norms(wrapper) is norms  # a second training does not wrap it twice
    for factor in (1.0, 2.0):
        model.zero_grad()
        (factor * model(torch.tensor([[3.0, 5.0]]))).sum().backward()
        wrapper.step()
        assert torch.cat([value.grad.flatten() for value in model.parameters()]).norm().item() == pytest.approx(1.0, abs=1e-5)
    assert norms.take() == pytest.approx([35 ** 0.5, 2 * 35 ** 0.5]) and norms.take() == []


def test_clipping_by_value_has_no_norm_and_none_is_deferred_where_nothing_is_clipped(model):
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0), clip_grad=dict(type='value', clip_value=0.5))
    norms = defer_norms(wrapper)
    wrapper.step()
    assert norms.take() == [] and model.weight.grad.tolist() == [[0.5, 0.5]]
    assert defer_norms(OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0))) is None
    assert defer_norms({'a': wrapper}) is None
