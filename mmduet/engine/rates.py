"""Learning rates for the expressions that an update sees."""
from typing import TYPE_CHECKING

from mmengine.optim import OptimWrapper

from mmduet.io.text import counted

if TYPE_CHECKING:
    from mmduet.engine.runner import GroundingRunner


def scale_rates(runner: 'GroundingRunner', optim_wrapper: OptimWrapper, base_batch_size: int,
                enable: bool = False) -> tuple[int, float, bool]:
    """Multiply the rates by the expressions per update, of all ranks and steps, over ``base_batch_size``; say so in the log.

    Returns:
        ``base_batch_size``, the factor and whether it was applied.
    """
    batch, steps = runner.train_dataloader.batch_sampler.batch_size, optim_wrapper._accumulative_counts
    ranks = runner.world_size
    factor = batch * ranks * steps / base_batch_size
    runner.logger.info(f'Rates are for {counted(base_batch_size, "expression")} per update, and an update has '
                       f'{batch * ranks * steps} ({batch} on each of {counted(ranks, "rank")}, {counted(steps, "step")}): they '
                       f'are multiplied by {factor if enable else 1:g}'
                       f'{"" if enable or factor == 1 else ", as auto_scale_lr is off"}.')
    for group in optim_wrapper.param_groups if enable else ():
        group['lr'] *= factor
    return base_batch_size, factor, enable
