"""Short trainings of the tiny grounder, plain and distilled, by the runner."""
import contextlib
import io
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as torch_dist
from mmengine.config import Config
from mmengine.hooks import Hook
from torch import Tensor

from mmduet.engine import GroundingRunner
from mmduet.engine.distributed import leave
from mmduet.registry import RUNNERS
from tests.shared_data import ROOT
from tests.tiny_grounder import load_tiny_config


def train(work: Path, root: Path, *hooks: Hook, **changes: Any) -> GroundingRunner:
    """Train the tiny grounder with further hooks and ``changes`` to its config, ``__`` for the dot."""
    return _train(load_tiny_config(work, root, **changes), hooks)


def train_distilled(work: Path, root: Path, *hooks: Hook, **changes: Any) -> GroundingRunner:
    """Train the tiny grounder distilled from the tiny CLIP, without validation."""
    cfg = Config.fromfile(ROOT / 'tests/tiny_cached_config.py')
    cfg.work_dir, cfg.experiment_name = str(work), uuid.uuid4().hex
    cfg.train_dataloader.dataset.data_root = str(root)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    cfg.default_hooks.checkpoint.save_best = None
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in changes.items()})
    return _train(cfg, hooks)


class BegunError(Exception):
    """Ends a training before its first step."""


class _Begin(Hook):
    priority = 'HIGHEST'

    def before_train(self, runner: GroundingRunner) -> None:
        self.runner = runner
        raise BegunError


def begin(work: Path, root: Path, distilled: bool = False, **changes: Any) -> GroundingRunner:
    """The runner of a training that is about to make its first step."""
    hook = _Begin()
    with pytest.raises(BegunError):
        (train_distilled if distilled else train)(work, root, hook, **changes)
    return hook.runner


class Terminal(io.StringIO):
    """A console that somebody looks at."""

    def isatty(self) -> bool:
        return True


_STAMP = re.compile(r'^(\x1b\[\d+m)?\d\d/\d\d \d\d:\d\d:\d\d - mmengine - (\x1b\[\d+m)?[A-Z]+(\x1b\[0m)? - ')


def unstamped(text: str) -> list[str]:
    """The lines of a console or a log without their times."""
    return [_STAMP.sub('', line) for line in text.splitlines()]


def shown(*arguments: Any, console: Any = io.StringIO, **changes: Any) -> tuple[GroundingRunner, list[str]]:
    """The runner of ``train`` and the lines of its console, without their times."""
    with contextlib.redirect_stdout(console()) as screen:
        runner = train(*arguments, **changes)
    return runner, unstamped(screen.getvalue())


def _train(cfg: Config, hooks: tuple[Hook, ...]) -> GroundingRunner:
    runner = RUNNERS.build(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


def weights(runner: GroundingRunner) -> dict[str, Tensor]:
    """A copy of what a checkpoint would hold of the model."""
    return {name: value.clone() for name, value in runner.plain_model.state_dict().items()}


def assert_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    """Same names, same bits."""
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


@contextlib.contextmanager
def group_of_one(folder: Path) -> Iterator[None]:
    """A process group of this process alone, on the CPU, for ``launcher='pytorch'``."""
    torch_dist.init_process_group('gloo', init_method=f'file://{folder / "store"}', rank=0, world_size=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('LOCAL_RANK', '0')
        yield
    leave()
