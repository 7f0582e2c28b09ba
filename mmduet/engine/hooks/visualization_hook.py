"""Sheets of what a grounder predicts, while it is trained and tested."""
from pathlib import Path
from typing import Any

from mmdet.structures import DetDataSample
from mmengine.hooks import Hook
from mmengine.runner import Runner
from PIL import Image

from mmduet.io.files import replacing
from mmduet.registry import HOOKS
from mmduet.visualization import Answer, draw_sheet


def to_answer(sample: DetDataSample) -> Answer:
    """What a sheet shows of a sample, with its target where there is one."""
    target = tuple(sample.gt_instances.bboxes[0].tolist()) if 'gt_instances' in sample else None
    return Answer(image=sample.img_path, expression=sample.text, prediction=tuple(sample.pred_instances.bboxes[0].tolist()),
                  target=target)


@HOOKS.register_module()
class GroundingVisualizationHook(Hook):
    """Draw a sheet of predictions after every validation and test: image, expression, target, prediction and IoU.

    The samples are spread evenly over the data set and the same each time, so that sheets can be compared. Each sheet goes to
    ``work_dir/pictures`` and to the visualizer (TensorBoard).

    Args:
        max_samples, columns: images per sheet and per row.
        out_dir: another folder than ``work_dir/pictures``.
    """

    priority = 'LOW'

    def __init__(self, max_samples: int = 12, columns: int = 4, out_dir: str | None = None) -> None:
        if max_samples < 1 or columns < 1:
            raise ValueError(f'max_samples and columns must be positive, got {max_samples} and {columns}')
        self._max_samples, self._columns, self._out_dir = max_samples, columns, out_dir
        self._answers: list[Answer] = []
        self._seen = self._tests = 0

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        self._answers, self._seen = [], 0

    def _after_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None,
                    mode: str = 'train') -> None:
        if mode == 'train' or runner.rank != 0:
            return
        total = len((runner.val_dataloader if mode == 'val' else runner.test_dataloader).sampler)
        for sample in outputs or ():
            if self._seen * self._max_samples >= len(self._answers) * total and len(self._answers) < self._max_samples:
                self._answers.append(to_answer(sample))
            self._seen += 1

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Draw the validation's sheet."""
        self._draw(runner, 'val', f'val_epoch_{runner.epoch:03d}', runner.epoch)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Draw the test's sheet; several tests of one run are numbered."""
        self._tests += 1
        self._draw(runner, 'test', 'test' if self._tests == 1 else f'test_{self._tests}', self._tests)

    def _draw(self, runner: Runner, tag: str, name: str, step: int) -> None:
        if not self._answers:
            return
        sheet = draw_sheet(self._answers, self._columns)
        folder = Path(self._out_dir) if self._out_dir else Path(runner.work_dir) / 'pictures'
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / f'{name}.png') as partial:
            Image.fromarray(sheet).save(partial, format='PNG')
        runner.visualizer.add_image(f'{tag}_predictions', sheet, step)
        runner.logger.info(f'{len(self._answers)} predictions are drawn in {folder / name}.png')
