"""What a loop of the runner needs before its first step."""
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.dist import barrier

from mmduet.datasets.grounding_dataset import tell as tell_dataset
from mmduet.engine.checkpoint import position_of
from mmduet.engine.console import tell, watch_console
from mmduet.engine.earlier_runs import set_aside, set_later_aside
from mmduet.engine.gradients import restore_gradients
from mmduet.engine.opening import describe_accumulation, describe_empty_head, describe_objects, describe_run
from mmduet.engine.random_state import part_ranks
from mmduet.engine.schedule_length import describe_misfits
from mmduet.evaluation import GroundingMetric
from mmduet.models.distill import DistillHead

if TYPE_CHECKING:
    from mmduet.engine.runner import GroundingRunner


def start_loop(runner: 'GroundingRunner', name: str) -> None:
    """Give workers of the loop ``train``, ``val`` or ``test`` the tokenizer, its metrics what they report; open the log."""
    loop = getattr(runner, f'{name}_loop')
    if runner.tokenizer is not None:
        tell_dataset(loop.dataloader.dataset, 'set_tokenizer', runner.tokenizer.encode)
    if name == 'train':
        folder = Path(runner.work_dir).resolve()
        if runner.rank == 0:
            set_aside(folder, runner.run_id, runner._resume and runner.loaded_file is not None, runner.logger)
            reached = position_of(runner._loaded_meta or {})  # not where the runner is, with other batches than before
            if runner._resume and runner._load_from is not None and reached is not None:
                set_later_aside(folder, runner.run_id, Path(runner._load_from).resolve(), reached, runner.logger)
        barrier()  # all ranks read next what lies there
        if not runner._randomness_cfg.get('diff_rank_seed'):
            part_ranks(runner.seed, runner.rank)
        if runner.resumed_gradients is not None:
            restore_gradients(runner.plain_model, runner.resumed_gradients)
            runner.resumed_gradients = None
        head = getattr(runner.plain_model, 'head', None)
        if isinstance(head, DistillHead):
            if not runner._resume:
                head.steps = 0  # weights of another training bring its count along, and warm-up would be over
            calls = runner.optim_wrapper._accumulative_counts
            head.accumulate(calls, runner.optim_wrapper.inner_count % calls)
        for line in describe_run(runner):
            tell(runner.logger, line)
        for line in (*describe_empty_head(runner.plain_model), *describe_accumulation(runner), *describe_misfits(runner),
                     *describe_objects(runner.cfg.to_dict())):
            runner.logger.warning(line)
    else:
        for metric in loop.evaluator.metrics:
            if isinstance(metric, GroundingMetric):
                metric.pretrain_excludes = runner.pretrain_excludes
    watch_console(runner.logger).quiet = False
