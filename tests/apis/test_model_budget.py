"""A config from elsewhere builds a model about as large as its weights, or nothing."""
import pytest
import torch
from torch import nn

from mmduet.apis import model_budget
from mmduet.apis.model_budget import build_within
from mmduet.engine.config_tools import ConfigError


class Wide(nn.Module):
    """``rows`` x 2**12 numbers, ``made`` of as many parts as asked."""

    def __init__(self, rows, parts=0):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, 2**12))
        for _ in range(parts):
            torch.zeros(1).add_(1)


def config(rows, **options):
    return dict(type=Wide, rows=rows, **options)


@pytest.mark.parametrize('known', [0, 8])
def test_a_model_may_have_twice_its_weights_and_16_million_numbers_more(known):
    weights = {'weight': torch.empty(known, 2**12)}
    most = 2 * known + 2**12
    assert build_within(config(most), weights, 'a.pth').weight.shape == (most, 2**12)
    with pytest.raises(ConfigError, match=rf'^a\.pth asks for a model of {(most + 1) * 2**12:,} numbers, and has weights for '
                                          rf'{known * 2**12:,}$'):
        build_within(config(most + 1), weights, 'a.pth')


def test_a_model_that_no_machine_could_hold_is_refused_without_memory():
    with pytest.raises(ConfigError, match='asks for a model of'):
        build_within(config(2**40), {}, 'a.pth')


def test_a_model_of_many_parts_is_ended_while_it_is_made(monkeypatch):
    monkeypatch.setattr(model_budget, '_MORE_CALLS', 100)
    assert build_within(config(1, parts=20), {}, 'a.pth') is not None
    assert build_within(config(1, parts=110), {'a': torch.ones(1)}, 'a.pth') is not None  # 200 calls more for each weight
    with pytest.raises(ConfigError, match=r'^a\.pth asks for a model of many more parts than it has weights$'):
        build_within(config(1, parts=110), {}, 'a.pth')


@pytest.mark.parametrize('wrong', [dict(type=Wide), dict(type='NoSuchClass'), dict(rows=1), config('a'), config(-1)], ids=str)
def test_what_cannot_be_built_is_named_with_its_source(wrong):
    with pytest.raises(ConfigError, match=r'^no model can be built from the config of a\.pth: .'):
        build_within(wrong, {}, 'a.pth')
