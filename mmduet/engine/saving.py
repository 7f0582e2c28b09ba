"""What a checkpoint holds, collected from a runner: everything that training needs to go on as if nothing had happened."""
import copy
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import mmengine
from mmengine.dist import all_gather_object
from mmengine.optim import OptimWrapper
from torch import Tensor

from mmduet import __version__
from mmduet.engine import checkpoint as files
from mmduet.engine.checkpoint import CheckpointError
from mmduet.engine.gradients import collect_gradients, is_updated
from mmduet.engine.hook_states import get_hook_states
from mmduet.engine.pretraining import KEY
from mmduet.engine.random_state import get_random_state
from mmduet.engine.resume_rules import describe_machine, describe_training
from mmduet.engine.version import commit

if TYPE_CHECKING:
    from mmduet.engine.runner import GroundingRunner


def collect_checkpoint(runner: 'GroundingRunner', filename: str, meta: Mapping[str, Any], training: bool = True,
                       schedulers: bool = True) -> dict[str, Any] | None:
    """A copy, in the memory of the host, of the state of a training; None on other ranks than the first; all must call it.

    Args:
        filename: what it is collected for, for messages.
        meta: ``epoch`` and ``iter``, and more to be said in ``meta``.
        training: with the optimizer and, between two updates, with the gradients of every rank.
        schedulers: with the parameter schedulers.

    Raises:
        NonFiniteLossError: a loss since the last check was not finite, on any rank.
        CheckpointError: a weight is not finite, or there is no optimizer yet.
    """
    runner.call_hook('before_collect_checkpoint')
    states = all_gather_object(get_random_state())
    bad = files.first_non_finite(runner.plain_model)
    if bad is not None:
        raise CheckpointError(f'{bad} holds NaN or infinite values, so {filename} was not written; the checkpoints before '
                              'it are kept. Resume from them with a smaller learning rate, gradient clipping or fp32')
    wrapper = runner.optim_wrapper
    if (training or schedulers) and not isinstance(wrapper, OptimWrapper):
        raise CheckpointError(f'{filename} was not written: optimizer and schedulers are built when training begins. '
                              'Before, write the weights alone, by save_optimizer=False and save_param_scheduler=False')
    summing = training and not is_updated(wrapper)
    gradients = collect_gradients(runner.plain_model, runner.signals.group) if summing else None
    if runner.rank != 0:
        return None
    checkpoint: dict[str, Any] = {'meta': _describe(runner, meta), 'state_dict': runner.plain_model.state_dict(),
                                  'message_hub': files.to_plain(runner.message_hub.state_dict()), 'random_states': states}
    if training:
        checkpoint['optimizer'] = wrapper.state_dict()
        checkpoint['hooks'] = files.to_plain(get_hook_states(runner.hooks))
    if summing:
        checkpoint['gradients'] = gradients
    if schedulers and runner.param_schedulers:
        checkpoint['param_schedulers'] = [files.to_plain(scheduler.state_dict()) for scheduler in runner.param_schedulers]
    runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)
    copied: dict[str, Any] = copy_to_host(checkpoint)
    return copied


def _describe(runner: 'GroundingRunner', meta: Mapping[str, Any]) -> dict[str, Any]:
    loader = runner.train_dataloader
    described = {**meta, 'run': runner.run_id, 'owes_validation': getattr(runner._train_loop, 'owes_validation', False),
                 'seed': runner.seed, 'experiment_name': runner.experiment_name,
                 'time': time.strftime('%Y%m%d_%H%M%S'), 'mmengine_version': mmengine.__version__,
                 'mmduet_version': __version__, 'mmduet_commit': commit(), 'training': describe_training(runner.cfg),
                 'machine': describe_machine(runner), 'files': runner.contents,
                 'batches_per_epoch': len(loader), 'world_size': runner.world_size,
                 'cfg': runner.message_hub.get_info('cfg') or runner.cfg.pretty_text, KEY: runner.pretrain_excludes}
    # With the config and this, a checkpoint is enough to predict.
    described['vocabulary'] = None if runner.tokenizer is None else runner.tokenizer.vocabulary
    if hasattr(loader.dataset, 'metainfo'):
        described['dataset_meta'] = files.to_plain(loader.dataset.metainfo)
    return described


def copy_to_host(value: Any, copies: dict[tuple[Any, ...], Tensor] | None = None) -> Any:
    """Copy all tensors of nested containers to the memory of the host; one that is there twice is copied once.

    Training goes on while the copy is written, so that nothing of it may be shared, on a CPU neither.
    """
    copies = {} if copies is None else copies
    if isinstance(value, Tensor):
        key = (value.device, value.dtype, value.data_ptr(), value.shape, value.stride())
        if key not in copies:
            copies[key] = value.detach().to('cpu', copy=True)
        return copies[key]
    if isinstance(value, dict):
        fresh = copy.copy(value)  # with what a state dict says of its modules
        for name, item in value.items():
            fresh[name] = copy_to_host(item, copies)
        return fresh
    if isinstance(value, list | tuple):
        return (list if isinstance(value, list) else tuple)(copy_to_host(item, copies) for item in value)
    return value
