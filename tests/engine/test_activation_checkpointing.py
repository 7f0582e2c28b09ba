import copy
from contextlib import nullcontext

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner.activation_checkpointing import turn_on_activation_checkpointing

from mmduet.engine.host_options import checkpoint_without_reentry
from tests.engine.tiny_runs import assert_equal, group_of_one, train, train_distilled, weights
from tests.tiny_grounder import make_data_root


class GradientsHook(Hook):
    """Keeps losses and gradients of every step: OptimWrapper clears the gradients, so they are copied before its step."""

    def before_train(self, runner):
        self.steps, self.gradients = [], {}

        def keep(*_):
            self.gradients = {name: parameter.grad.clone() for name, parameter in runner.plain_model.named_parameters()
                              if parameter.grad is not None}

        runner.optim_wrapper.optimizer.register_step_pre_hook(keep)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.steps.append({**{name: value.detach().clone() for name, value in outputs.items()}, **self.gradients})


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=4)


def steps_of(run, work, root, **options):
    hook = GradientsHook()
    runner = run(work, root, hook, train_cfg__max_epochs=1, **options)
    return hook.steps, weights(runner)


@pytest.mark.parametrize('distributed', [False, True])
@pytest.mark.parametrize(('run', 'prefix'), [(train, ''), (train_distilled, 'student.')])
def test_losses_and_gradients_are_those_without_it(run, prefix, distributed, root, tmp_path):
    """Also of the image encoder, whose input takes no gradient, and with the dropout of the same random numbers."""
    dropout = {f'model__{prefix.replace(".", "__")}dropout': 0.3}
    modules = [prefix + name for name in ('backbone', 'norm', 'drop', 'box_head')]
    launch = dict(launcher='pytorch') if distributed else {}
    with group_of_one(tmp_path) if distributed else nullcontext():
        plain, plain_weights = steps_of(run, tmp_path / 'plain', root, **dropout, **launch)
        saved, saved_weights = steps_of(run, tmp_path / 'saved', root, activation_checkpointing=modules, **dropout, **launch)
    assert len(plain) == len(saved) == 2
    for one, other in zip(plain, saved, strict=True):
        assert f'{prefix}backbone.weight' in one
        assert_equal(one, other)
    assert_equal(plain_weights, saved_weights)


def test_activations_are_computed_again_for_the_gradient(root, tmp_path, monkeypatch):
    calls = []
    real = torch.nn.functional.layer_norm

    def counted(*arguments, **options):
        calls.append(torch.is_grad_enabled())
        return real(*arguments, **options)

    monkeypatch.setattr(torch.nn.functional, 'layer_norm', counted)
    train(tmp_path / 'plain', root, train_cfg__max_iters=1)
    assert len(calls) == 1
    train(tmp_path / 'saved', root, train_cfg__max_iters=1, activation_checkpointing='norm')
    assert len(calls) == 1 + 2


def test_batch_norms_count_a_batch_once():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4), torch.nn.Dropout(0.5)))
    saved = copy.deepcopy(model)
    turn_on_activation_checkpointing(saved, '0')
    checkpoint_without_reentry(saved, '0')
    twin = copy.deepcopy(saved)  # computes by its own weights
    inputs, gradients = torch.randn(2, 3, 5, 5), []
    for each in (model, saved, twin):
        torch.manual_seed(1)
        each(inputs).square().sum().backward()
        gradients.append(each[0][0].weight.grad)
    for each, gradient in zip((saved, twin), gradients[1:], strict=True):
        assert torch.equal(gradient, gradients[0])
        assert_equal(each.state_dict(), model.state_dict())
        assert each[0][1].momentum == 0.1
    assert model[0][1].num_batches_tracked == 1
