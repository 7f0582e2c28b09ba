"""The runner: MMEngine's, with checkpoints that are safe to read and to write, and process groups on CPUs."""
import random
import uuid
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.utils.deterministic as torch_deterministic
from mmengine.dist import all_gather_object
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmduet.engine import checkpoint as files
from mmduet.engine.background_writer import BackgroundWriter
from mmduet.engine.checkpoint import CheckpointError
from mmduet.engine.closing import end_training
from mmduet.engine.config_check.custom_keys import check_custom_keys
from mmduet.engine.console import file_only, watch_console
from mmduet.engine.device_setup import compile_model, fit_to_device
from mmduet.engine.distributed import TIMEOUT, join_process_group, locked_for_all_ranks
from mmduet.engine.file_contents import Contents, describe_contents
from mmduet.engine.gradients import Gradients, of_rank, tells_no_loss
from mmduet.engine.hook_states import depends_on_validation, set_hook_states
from mmduet.engine.hooks.progress_hook import bars_of
from mmduet.engine.host_options import check_module_names, checkpoint_without_reentry, refuse_options
from mmduet.engine.loading import read_on_all_ranks, resume_last, resumed_seed
from mmduet.engine.loop_start import start_loop
from mmduet.engine.pretraining import loaded_excludes, stated_excludes
from mmduet.engine.random_state import set_random_state
from mmduet.engine.rank_watch import RankWatch
from mmduet.engine.rates import scale_rates
from mmduet.engine.resume_rules import check_resume, optimizer_settings, schedule_settings, take_rates, take_schedules
from mmduet.engine.saving import collect_checkpoint
from mmduet.engine.stop_signals import StopSignals, TrainingStopped, start_worker
from mmduet.io.files import write_atomically
from mmduet.models.data_preprocessor import GroundingDataPreprocessor
from mmduet.models.layers.tokenizers import Tokenizer
from mmduet.registry import RUNNERS

MMENGINE_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')


@RUNNERS.register_module()
class GroundingRunner(Runner):
    """Train, validate and test a grounder; built from a config by ``GroundingRunner.from_cfg``.

    What differs from MMEngine's runner: checkpoints are read without running code and must fit the model; they are written
    in one step, with the random state of every rank; resuming without a path skips damaged files; processes on CPUs work. On a
    CPU the model is optimised for it, unless the config sets ``optimise_for_cpu = False``, or compiles it; on a GPU its frozen
    norms are folded, unless it sets ``fold_frozen_norms = False``, and ``env_cfg.tf32`` says how exact float32 is.
    """

    signals: StopSignals  # those that end a training
    writer: BackgroundWriter  # of checkpoints
    watch: RankWatch  # over the other processes
    run_id: str  # of a training from its beginning on, over all that resumed it
    _random_state: dict[str, Any] | None = None  # of a checkpoint, until training goes on
    resumed_gradients: Gradients | None = None  # of a checkpoint between two updates
    _loaded_meta: dict[str, Any] | None = None
    contents: Contents = {}  # of the files that it reads and its checkpoints do not hold
    loaded_file: str | None = None  # the checkpoint that was loaded or resumed from
    rate_scaling: tuple[float, float, bool] | None = None  # what the rates are for, the factor, whether it is applied

    def build_logger(self, log_level: int | str = 'INFO', log_file: str | None = None, **kwargs: Any) -> MMLogger:
        """MMEngine's logger, whose console shows what is for people."""
        logger = super().build_logger(log_level, log_file, **kwargs)
        watch_console(logger).quiet = True  # until the first loop begins
        return logger

    def register_hooks(self, default_hooks: dict[str, Any] | None = None, custom_hooks: list[Any] | None = None) -> None:
        """Register hooks; one of ours is left out by None, as MMEngine's are."""
        named = {name: hook for name, hook in (default_hooks or {}).items() if hook is not None or name in MMENGINE_HOOKS}
        super().register_hooks(named, [hook for hook in custom_hooks or () if hook is not None])

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Refuse options that cannot work; join the process group as the machine can, before MMEngine would."""
        refuse_options(self.cfg, cuda=torch.cuda.is_available())
        self.run_id, self.writer = uuid.uuid4().hex, BackgroundWriter()
        self.watch = RankWatch(finish=self.writer.finish)
        dist_cfg = env_cfg.get('dist_cfg', {})
        timeout = dist_cfg.get('timeout', TIMEOUT)
        self.signals = StopSignals(timeout)
        if self.distributed:
            join_process_group(self.launcher, dist_cfg.get('backend'), timeout)
        super().setup_env(env_cfg)

    def set_randomness(self, seed: int | None, diff_rank_seed: bool = False, deterministic: bool = False) -> None:
        """Seed all generators, as before where training goes on without one; ``deterministic`` does not fill memory as well."""
        if seed is None and self.cfg.get('resume'):
            seed = resumed_seed(Path(self.work_dir), self.cfg.get('load_from'))
        super().set_randomness(seed, diff_rank_seed, deterministic)
        setattr(torch_deterministic, 'fill_uninitialized_memory', False)  # noqa: B010 (torch types it as read-only)

    @staticmethod
    def build_dataloader(dataloader: DataLoader[Any] | dict[str, Any], seed: int | None = None,
                         diff_rank_seed: bool = False) -> DataLoader[Any]:
        """Build a loader with a generator of its own, so that a validation or resume leaves the training's random numbers.

        Where there is a GPU, batches come in pinned memory unless the config says ``pin_memory=False``.
        """
        if isinstance(dataloader, dict):
            dataloader = {'pin_memory': torch.cuda.is_available(), **dataloader}
        loader = Runner.build_dataloader(dataloader, seed=seed, diff_rank_seed=diff_rank_seed)
        if loader.generator is None:
            loader.generator = torch.Generator().manual_seed(seed if seed is not None else random.getrandbits(31))
        loader.worker_init_fn = partial(start_worker, loader.worker_init_fn)
        return loader

    def build_model(self, model: nn.Module | dict[str, Any]) -> nn.Module:
        """Build the model and make its student fast on the device; see ``fit_to_device``."""
        built = super().build_model(model)
        for sentence in fit_to_device(self.cfg, built):
            self.logger.info(sentence)
        return built

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        """Wrap for distributed training; on CPUs without the device ids that MMEngine always passes."""
        if is_model_wrapper(model):
            return super().wrap_model(model_wrapper_cfg, model)
        check_module_names(self.cfg, model)
        check_custom_keys(self.cfg, [name for name, _ in model.named_parameters()])
        if self.distributed and not torch.cuda.is_available():
            wrapper = model_wrapper_cfg or {'broadcast_buffers': False,
                                            'find_unused_parameters': self.cfg.get('find_unused_parameters', False)}
            model_wrapper_cfg = {**wrapper, 'device_ids': None}
        return super().wrap_model(model_wrapper_cfg, model)

    def scale_lr(self, optim_wrapper: OptimWrapper, auto_scale_lr: dict[str, Any] | None = None) -> None:
        """Multiply the rates by the expressions per update, of all ranks and steps, over ``base_batch_size``; say so."""
        if auto_scale_lr is None or 'base_batch_size' not in auto_scale_lr:
            super().scale_lr(optim_wrapper, auto_scale_lr)
            return
        self.rate_scaling = scale_rates(self, optim_wrapper, **auto_scale_lr)

    def _maybe_compile(self, target: str) -> None:
        """Compile the model's parts; MMEngine compiles ``target``, the step with its optimizer, which Dynamo cannot trace."""
        for sentence in compile_model(self.cfg.get('compile'), self.plain_model):
            self.logger.info(sentence)

    def train(self) -> nn.Module:
        """Train, in a work folder that is this training's alone.

        Raises:
            LockedError: another training works there; on every rank.
            TrainingStopped: a signal ended it, on every rank; a checkpoint is written.
            CheckpointError: a checkpoint could not be written; on every rank.
            RankLostError: another process ended.
        """
        with self.watch.watching(), locked_for_all_ranks(Path(self.work_dir)), closing(self.writer), bars_of(self):
            model = super().train()
            self.writer.settle()
            end_training(self)
        if self.signals.agreed:
            raise TrainingStopped(self.signals.exit_code)
        return model

    def test(self) -> dict[str, float]:
        """Test; ``RankLostError`` where another process ended."""
        with self.watch.watching():
            return super().test()

    def dump_config(self) -> None:
        """Write the config into the work folder, in one step."""
        name = Path(self.cfg.filename).name if self.cfg.filename else f'{self.timestamp}.py'
        if self.rank == 0:
            write_atomically(Path(self.work_dir) / name, self.cfg.dump())

    def owes_validation(self) -> bool:
        """Whether a validation was due at the checkpoint that training resumes from, and was not finished.

        One that was finished is made again where training depends on it, as with early stopping, which is as it was before it.
        """
        if not self._resume or self._loaded_meta is None or not self._loaded_meta.get('owes_validation'):
            return False
        record = files.read_record(Path(self.work_dir)) or {}
        again = depends_on_validation(self.hooks, self.param_schedulers)
        return bool(all_gather_object(again or record.get('validated') != self.iter)[0])

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call the hooks; before that, give a loop what it needs and a step its state."""
        if fn_name.endswith('iter'):
            what = fn_name.split('_')[1]
            number = self.iter if what == 'train' else kwargs['batch_idx']
            self.watch.move(f'step {number + 1} of {"training" if what == "train" else what}')
        if fn_name == 'before_train_iter':
            self.restore_random_state()
        elif fn_name in ('before_train', 'before_val', 'before_test'):
            start_loop(self, fn_name.removeprefix('before_'))
        super().call_hook(fn_name, **kwargs)

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The student's; None for a model that takes texts."""
        preprocessor = self.plain_model.data_preprocessor
        return preprocessor.tokenizer if isinstance(preprocessor, GroundingDataPreprocessor) else None

    def _log_env(self, env_cfg: dict[str, Any]) -> None:
        """Write environment and config into the file."""
        with file_only(self.logger):
            super()._log_env(env_cfg)

    def get_hooks_info(self) -> str:
        """The hooks in the order of their priority, on one line; MMEngine prints a page."""
        return ', '.join(type(hook).__name__ for hook in self.hooks)

    @property
    def pretrain_excludes(self) -> list[str] | None:
        """Data sets without overlap between their val and test images and pre-training; None where nobody states it."""
        if self._loaded_meta is None:
            return stated_excludes(self.cfg)
        goes_on = isinstance(self._train_loop, BaseLoop) and not self._resume
        name = str(getattr(self.train_dataloader.dataset, 'metainfo', {}).get('dataset_name')) if goes_on else None
        return loaded_excludes(self._loaded_meta, self.cfg, name)

    @property
    def plain_model(self) -> nn.Module:
        """The model without its distributed wrapper."""
        return self.model.module if is_model_wrapper(self.model) else self.model

    def load_or_resume(self) -> None:
        """Resume from a path, or from the last complete checkpoint of the work folder; or load weights; once."""
        checkpoint_without_reentry(self.plain_model, self.cfg.get('activation_checkpointing'))
        if isinstance(self._train_loop, BaseLoop):
            self.contents = describe_contents(self)
        if self._has_loaded or not self._resume or self._load_from is not None:
            super().load_or_resume()
            return
        resume_last(self)

    def resume(self, filename: str, resume_optimizer: bool = True, resume_param_scheduler: bool = True,
               map_location: Any = 'default') -> None:
        """Resume from a checkpoint, with the schedules of the config and, by ``resume_changed``, its rates and decays."""
        schedulers = self.param_schedulers if isinstance(self.param_schedulers, list) else []
        rates, schedules = optimizer_settings(self.optim_wrapper), schedule_settings(schedulers)
        super().resume(filename, resume_optimizer, resume_param_scheduler, map_location)
        if self.cfg.get('resume_changed'):
            take_rates(self.optim_wrapper, rates, schedulers)
        take_schedules(schedulers, schedules)

    def load_checkpoint(self, filename: str, map_location: Any = 'cpu', strict: bool = True,
                        revise_keys: list[tuple[str, str]] | None = None) -> dict[str, Any]:
        """Load weights that must fit the model; a distilled checkpoint fits its plain student and the reverse."""
        if revise_keys is not None:
            raise ValueError('revise_keys is not supported: convert the checkpoint with mmduet convert')
        checkpoint = read_on_all_ranks(filename, map_location)
        if self._resume:
            self.run_id = checkpoint['meta'].get('run', self.run_id)
            files.check_resumable(checkpoint, filename)
            check_resume(self, checkpoint, filename)
        checkpoint['state_dict'], note = files.fit_to_model(checkpoint['state_dict'], self.plain_model)
        if note is not None:
            if self._resume:
                raise CheckpointError(f'{filename} is {note}. Training cannot be resumed from it; use --load-from')
            self.logger.info(f'{filename} is {note}.')
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        files.load_strictly(self.plain_model, checkpoint['state_dict'], filename, strict)
        if 'message_hub' in checkpoint:
            checkpoint['message_hub'] = files.restore_history(checkpoint['message_hub'])
        if self._resume:
            states = checkpoint.get('random_states')
            self._random_state = of_rank(states, self.rank, self.world_size)
            if states is not None and self._random_state is None:
                self.logger.warning(f'Random states of {len(states)} processes are not restored: now it is {self.world_size}.')
            self.resumed_gradients = of_rank(checkpoint.pop('gradients', None), self.rank, self.world_size)
            set_hook_states(self.hooks, checkpoint.get('hooks', {}))
            if self.resumed_gradients is not None:
                self.logger.addFilter(tells_no_loss)
        self._loaded_meta, self._has_loaded, self.loaded_file = checkpoint['meta'], True, str(filename)
        self.logger.info(f'Loaded {filename}.')
        return checkpoint

    def restore_random_state(self) -> None:
        """Put the generators into the state of the checkpoint that training was resumed from, if any; once."""
        state, self._random_state = self._random_state, None
        if state is not None:
            set_random_state(state)

    def save_checkpoint(self, out_dir: str, filename: str, file_client_args: dict[str, Any] | None = None,
                        save_optimizer: bool = True, save_param_scheduler: bool = True, meta: dict[str, Any] | None = None,
                        by_epoch: bool = True, backend_args: dict[str, Any] | None = None) -> None:
        """Write a checkpoint in one step; every rank must call it.

        Raises:
            NonFiniteLossError: a loss since the last check was not finite, on any rank.
            CheckpointError: a weight is not finite, there is no optimizer yet, or the disk refuses. The checkpoints before are
                kept in each case.
        """
        if file_client_args is not None or backend_args is not None:
            raise ValueError('checkpoints go to local folders only: file_client_args and backend_args are not supported')
        position = {'epoch': self.epoch + by_epoch, 'iter': self.iter + (not by_epoch)}
        checkpoint = collect_checkpoint(self, filename, {**position, **(meta or {})}, save_optimizer, save_param_scheduler)
        if checkpoint is not None:
            files.write_checkpoint(checkpoint, Path(out_dir) / filename)
