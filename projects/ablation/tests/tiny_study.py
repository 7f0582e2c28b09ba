"""Records of runs with chosen scores, and a config with patches that trains in a second."""
from pathlib import Path
from typing import Any

from mmengine.config import Config

from tests.shared_data import ROOT

TINY = ROOT / 'tests/tiny_config.py'
FIRST_BATCHES = ('aa', 'bb', 'cc')


def make_record(experiment: str, seed: int, score: float, **changes: Any) -> dict[str, Any]:
    """A record with Acc@0.5 ``score``, Acc@0.75 half of it and mIoU 10."""
    record = {'arm': experiment, 'seed': seed, 'train_size': None, 'config_hash': f'config of {experiment}',
              'data_hash': 'data', 'budget': 100, 'steps': 100, 'student_hash': f'student {seed}', 'order': list(FIRST_BATCHES),
              'step_cpu_ms': 80.0, 'checkpoint_hash': f'{experiment} {seed}',
              'val': {'acc@0.5': score, 'acc@0.75': score / 2, 'miou': 10.0}}
    return {**record, **changes}


def write_study(folder: Path, **patches: str) -> tuple[Path, dict[str, str]]:
    """Write a config of six steps of the tiny grounder and patches of it; returns the config, and the patches by name.

    Args:
        folder: where to.
        patches: for each name, one statement that changes ``cfg``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cfg = Config.fromfile(str(TINY))
    cfg.train_cfg.update(max_epochs=1000, max_iters=6)
    cfg.param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=3)]
    cfg.default_hooks = dict(runtime_info=dict(type='mmduet.GroundingRuntimeInfoHook'), checkpoint=None)
    cfg.visualizer = dict(type='Visualizer', vis_backends=[])
    cfg.test_dataloader = cfg.val_dataloader
    cfg.dump(folder / 'tiny.py')
    paths = {}
    for name, statement in patches.items():
        (folder / f'{name}.py').write_text(f'def change(cfg):\n    {statement}\n')
        paths[name] = str(folder / f'{name}.py')
    return folder / 'tiny.py', paths
