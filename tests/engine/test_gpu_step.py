"""A whole step on a GPU that computes nothing: batch, losses, clipping, optimizer, moving average, hooks; none waits.

Autograd asks a GPU for its streams, so that there each parameter is given a gradient; ``tests/models/test_gpu.py`` has the
backward pass.
"""
from contextlib import ExitStack

import pytest
import torch
from mmengine.hooks import EMAHook, Hook
from torch._subclasses.fake_tensor import DataDependentOutputException

from mmduet.engine import MixedPrecisionOptimWrapper
from tests.engine.tiny_runs import BegunError, train, train_distilled
from tests.fake_gpu import fake_gpu, gpu_autocast
from tests.tiny_grounder import make_data_root

STEPS = 5
CLIPPED = dict(optim_wrapper__clip_grad=dict(max_norm=0.1))
AVERAGED = dict(custom_hooks=[dict(type='EMAHook', ema_type='MomentumAnnealingEMA')])
UNFUSED = dict(optim_wrapper__optimizer__fused=False)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    # The last step of an epoch copies losses, for the log.
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=2 * (STEPS + 1))


@pytest.fixture(autouse=True)
def gradients(monkeypatch):
    def give(parameters):
        for value in parameters:
            value.grad = torch.empty_like(value)

    # Transformers may look at tensors of a real device.
    monkeypatch.setattr('transformers.utils.import_utils.is_fake_tensor', lambda tensor: False)
    return give


class OnGPU(Hook):
    """Moves a training to the GPU before its first step, and ends it after its last."""

    priority = 'LOWEST'

    def __init__(self, patch, give, precision=None):
        self.stack, self.patch, self.give, self.precision, self.launched = ExitStack(), patch, give, precision, []

    def before_train(self, runner):
        self.operations = self.stack.enter_context(fake_gpu(runner.plain_model))
        self.stack.enter_context(gpu_autocast(self.precision))
        runner.optim_wrapper = runner.build_optim_wrapper(runner.cfg.optim_wrapper)
        if self.precision is not None:
            self.scale_losses(runner)
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                hook.before_run(runner)
            if type(hook).__name__ == 'GroundingRuntimeInfoHook':
                hook.before_train(runner)
        trained = [value for group in runner.optim_wrapper.param_groups for value in group['params']]
        self.patch.setattr(torch.Tensor, 'backward', lambda loss: self.give(trained))
        self.operations.clear()

    def scale_losses(self, runner):
        plain = runner.optim_wrapper
        wrapper = MixedPrecisionOptimWrapper(plain.optimizer, 'bf16', plain._accumulative_counts, plain.clip_grad_kwargs)
        with self.patch.context() as there:
            there.setattr('torch.cuda.amp.common.amp_definitely_not_available', lambda: False)
            wrapper.loss_scaler = torch.amp.GradScaler('cuda', enabled=self.precision == torch.float16)
        assert wrapper.loss_scaler.is_enabled() == (self.precision == torch.float16)
        runner.optim_wrapper = wrapper

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.launched.append(len(self.operations))
        self.operations.clear()
        if batch_idx + 1 == STEPS:
            self.stack.close()
            raise BegunError


def step(start, *arguments, hook, **changes):
    try:
        with pytest.raises(BegunError):
            start(*arguments, hook, default_hooks__logger__interval=50, **changes)
    finally:
        hook.stack.close()
    return hook.launched


@pytest.mark.parametrize('changes', [
    {}, CLIPPED, dict(optim_wrapper__clip_grad=dict(type='value', clip_value=0.1)), UNFUSED,
    dict(optim_wrapper__optimizer=dict(_delete_=True, type='SGD', lr=0.1, momentum=0.9)),
    dict(CLIPPED, optim_wrapper__accumulative_counts=2)], ids=str)
def test_a_step_with_its_update_and_hooks_waits_for_nothing(root, tmp_path, monkeypatch, gradients, changes):
    launched = step(train, tmp_path, root, hook=OnGPU(monkeypatch, gradients), **AVERAGED, **changes)
    assert len(launched) == STEPS and min(launched) > 100
    assert launched[2] == launched[4]


@pytest.mark.parametrize('precision', [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize('changes', [{}, CLIPPED], ids=str)
def test_a_step_in_mixed_precision_with_loss_scaling_waits_for_nothing(root, tmp_path, monkeypatch, gradients, precision,
                                                                       changes):
    assert len(step(train, tmp_path, root, hook=OnGPU(monkeypatch, gradients, precision), **AVERAGED, **changes)) == STEPS


def test_pytorch_reads_whether_a_scaled_gradient_overflowed_where_the_optimizer_is_not_fused(root, tmp_path, monkeypatch,
                                                                                               gradients):
    with pytest.raises(DataDependentOutputException):
        step(train, tmp_path, root, hook=OnGPU(monkeypatch, gradients, torch.float16), **UNFUSED)


def test_a_distilled_step_waits_for_nothing(root, tmp_path, monkeypatch, gradients):
    assert len(step(train_distilled, tmp_path, root, hook=OnGPU(monkeypatch, gradients), **CLIPPED, **AVERAGED)) == STEPS
