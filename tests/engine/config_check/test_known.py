"""What is said of MMEngine's and PyTorch's keys is true of those that are installed."""
import inspect

from mmengine.hooks import Hook
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmduet.engine.config_check import known
from mmduet.engine.config_check.tree import definition_of
from mmduet.engine.config_tools import load_config
from mmduet.engine.runner import MMENGINE_HOOKS


def parameters(function):
    return [name for name in inspect.signature(function).parameters if name != 'self']


def test_every_argument_of_the_runner_and_of_a_loader_is_known():
    assert set(parameters(Runner.__init__)) - {'cfg'} <= set(known.RUNNER)
    assert set(parameters(DataLoader.__init__)) <= set(known.LOADER)


def test_every_argument_by_which_gradients_are_clipped_is_known():
    functions = (nn.utils.clip_grad_norm_, nn.utils.clip_grad_value_)
    assert {name for function in functions for name in parameters(function)} - {'parameters'} <= set(known.CLIP)


def test_every_option_of_the_optimizer_constructor_is_known():
    source = inspect.getsource(DefaultOptimWrapperConstructor)
    assert [name for name in known.PARAMWISE if f"'{name}'" not in source] == []
    assert [name for name in known.MULTIPLIERS if f"'{name}'" not in source] == []


def test_the_slots_of_hooks_are_mmengines_and_those_of_the_default_runtime():
    assert set(known.HOOKS) == {*MMENGINE_HOOKS, *load_config('configs/transvg/transvg_refshapes.py').default_hooks}


def test_a_class_that_stands_for_none_is_found():
    assert [name for name in known.DEFAULT_TYPES.values() if definition_of(name) is None] == []
    assert hasattr(Hook, known.TAKEN_OUT['default_hooks.*'][0])
