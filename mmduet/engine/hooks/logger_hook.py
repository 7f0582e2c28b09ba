"""Lines about steps for people and for the file, and validations as a table."""
from typing import Any

from mmengine.hooks import LoggerHook
from mmengine.hooks.runtime_info_hook import _is_scalar
from mmengine.runner import Runner

from mmduet.engine.config_tools import splits_of
from mmduet.engine.console import file_only, tell
from mmduet.evaluation.table import format_table
from mmduet.registry import HOOKS


@HOOKS.register_module()
class GroundingLoggerHook(LoggerHook):
    """MMEngine's, with a validation as the table that ``mmduet test`` prints; its one long line goes into the file.

    Args:
        interval, ignore_last, interval_exp_name, out_dir, out_suffix, keep_local, backend_args, log_metric_by_epoch: see
            ``LoggerHook``.
    """

    def after_val_epoch(self, runner: Runner, metrics: dict[str, Any] | None = None) -> None:
        """Write the scalars, and the table with the splits of the validation as columns."""
        with file_only(runner.logger):
            super().after_val_epoch(runner, metrics)
        numbers = {name: float(value) for name, value in (metrics or {}).items() if _is_scalar(value)}
        if numbers:
            splits = splits_of(runner.cfg.get('val_dataloader'))
            when = 'Validation' if runner._train_loop is None or isinstance(runner._train_loop, dict) else (
                f'Validation after epoch {runner.epoch}, step {runner.iter}')
            tell(runner.logger, f'{when}\n{format_table(numbers, "+".join(splits) or "val")}')

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the scalars; whoever tests prints the table."""
        with file_only(runner.logger):
            super().after_test_epoch(runner, metrics)
