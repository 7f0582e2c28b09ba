import pytest

from mmduet.engine.config_check.sources import resolve
from mmduet.engine.config_check.tree import check_tree
from mmduet.engine.config_check.values import describe_misfit, describe_untyped, parameters

TERM = dict(type='DenseContrastTerm')


def problems(**config):
    return [(problem.key, problem.sentence) for problem in check_tree(config)]


@pytest.mark.parametrize(('config', 'key', 'sentence'), [
    (dict(part=dict(TERM, weight='abc')), 'part.weight', "DenseContrastTerm takes a number for 'weight', got 'abc'"),
    (dict(part=dict(TERM, weight=[0, 5])), 'part.weight',
     "DenseContrastTerm takes a number for 'weight', got [0, 5]; a fraction has a point: 0.5"),
    (dict(part=dict(TERM, weight=dict(a=1))), 'part.weight', "DenseContrastTerm takes a number for 'weight', got {'a': 1}"),
    (dict(part=dict(TERM, temperature=None)), 'part.temperature', "takes a number for 'temperature', got None"),
    (dict(part=dict(type='RelationTerm', gather='no')), 'part.gather', "takes True or False for 'gather', got 'no'"),
    (dict(part=dict(type='RelationTerm', gather=None)), 'part.gather', "takes True or False for 'gather', got None"),
    (dict(part=dict(type='FeatureTerm', student=None)), 'part.student', "FeatureTerm takes a text for 'student', got None"),
    (dict(part=dict(type='DUETHead', terms=None)), 'part.terms', "DUETHead takes a dict for 'terms', got None"),
    (dict(part=dict(type='SLASampler', positives='4')), 'part.positives', "SLASampler takes a number for 'positives', got '4'"),
    (dict(optim_wrapper=dict(optimizer=dict(type='AdamW', lr='1e'))), 'optim_wrapper.optimizer.lr',
     "AdamW takes a number for 'lr', got '1e'"),
    (dict(randomness=dict(seed='abc')), 'randomness.seed', "it must be a number, got 'abc'"),
    (dict(train_dataloader=dict(batch_size=[3, 2])), 'train_dataloader.batch_size', 'got [3, 2]; a fraction has a point: 3.2'),
    (dict(train_cfg=dict(by_epoch=True, max_epochs='x')), 'train_cfg.max_epochs', "takes a number for 'max_epochs', got 'x'")])
def test_a_value_of_another_kind_is_refused_by_its_place(config, key, sentence):
    (found, said), = problems(**config)
    assert found == key and sentence in said


@pytest.mark.parametrize('config', [
    dict(part=dict(TERM, weight=1, temperature=0.1)),
    dict(part=dict(type='FeatureTerm', student='image')),
    dict(part=dict(type='RelationTerm', gather=False)),
    dict(part=dict(type='TransVG', pretrained=None)),
    dict(part=dict(type='DUETHead', terms={}, weight=0.4)),
    dict(part=dict(type='SLASampler', temperature=0.1)),
    # A list where another package's annotation names a number may be taken all the same.
    dict(optim_wrapper=dict(optimizer=dict(type='AdamW', lr=[1, 2], betas=(0.9, 0.999)))),
    dict(optim_wrapper=dict(optimizer=dict(type='AdamW', lr=None))),
    dict(randomness=dict(seed=None, deterministic='x')),
    dict(train_dataloader=dict(batch_size=4, sampler='no')),
    dict(other=dict(batch_size='4', inner=dict(batch_size='4')))])
def test_a_value_that_may_be_of_its_kind_is_not(config):
    assert problems(**config) == []


SOURCE = """
import typing
from dataclasses import dataclass
from typing import Any, Optional, Union


class Base:
    def __init__(self, first: float, second: "int | None" = None, *, third: Optional[bool] = None, free=3): ...


class Child(Base):
    def __init__(self, first: Union[int, str], more: typing.Any = 1, bad: "not a kind" = 2, **rest):
        super().__init__(first, **rest)


@dataclass
class Fields:
    one: list[int]
    two: float = 0.5


def make(size: int): ...
"""


@pytest.fixture
def find(tmp_path, monkeypatch):
    (tmp_path / 'annotated_parts.py').write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    return lambda name: resolve('annotated_parts', name)


def test_the_kinds_of_parameters_are_read_from_annotations_along_the_bases(find):
    found = parameters(find('Child'))
    assert {name: (set(each.kinds), each.none) for name, each in found.items()} == {
        'first': ({'int', 'str'}, False), 'second': ({'int', 'None'}, True), 'third': ({'bool', 'None'}, True),
        'more': ({'Any'}, False), 'bad': ({'not a kind'}, False)}
    assert {name: set(each.kinds) for name, each in parameters(find('Fields')).items()} == {
        'one': {'list'}, 'two': {'float'}}
    assert describe_misfit(find('make'), 'make', 'size', 'wide') == "make takes a number for 'size', got 'wide'"
    assert describe_misfit(find('make'), 'make', 'size', [1, 2]) is None  # none of ours
    assert describe_misfit(find('make'), 'make', 'other', 'wide') is None


def test_numbers_of_dictionaries_without_a_type_are_known_by_their_place():
    assert describe_untyped(('auto_scale_lr', 'base_batch_size'), 'x') == "it must be a number, got 'x'"
    assert describe_untyped(('auto_scale_lr', 'base_batch_size'), 64) is None
    assert describe_untyped(('auto_scale_lr', 'enable'), 'x') is None
    assert describe_untyped(('model', 'randomness', 'seed'), 'x') is None
