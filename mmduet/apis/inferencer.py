"""From an image and an expression to a box, in two lines."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate

from mmduet.datasets.image_io import ImageArray
from mmduet.engine.checkpoint import fit_to_model, load_strictly, read_checkpoint
from mmduet.engine.config_tools import drop_pretrained, load_config
from mmduet.models.cpu import optimise_for_cpu
from mmduet.models.score_heads import with_score_head
from mmduet.registry import MODELS


class GroundingInferencer:
    """Ground expressions in images with a trained student, plain or distilled.

    Args:
        config: path of a training config, or the config itself; its test pipeline prepares the images.
        checkpoint: file written by ``tools/train.py`` or the converters; a distilled one gives its student.
        device: where to run.
        pretrained: False if the checkpoint was trained with ``--no-pretrained``, whose words are hashed to ids.

    A ``CheckpointError`` says that the checkpoint is truncated, corrupt or of another model.
    """

    def __init__(self, config: str | Path | Config, checkpoint: str | Path, device: str = 'cpu',
                 pretrained: bool = True) -> None:
        cfg = config if isinstance(config, Config) else load_config(config)
        model = cfg.model.student if 'student' in cfg.model else cfg.model
        if not pretrained:
            drop_pretrained(model)
        state = read_checkpoint(checkpoint)['state_dict']
        self.model = MODELS.build(with_score_head(model, state)).to(device).eval()
        weights, _ = fit_to_model(state, self.model)
        load_strictly(self.model, weights, checkpoint)
        if torch.device(device).type == 'cpu':
            optimise_for_cpu(self.model)
        self.pipeline = Compose(cfg.test_dataloader.dataset.pipeline)

    def __call__(self, image: str | Path | ImageArray, expressions: str | Sequence[str]) -> list[DetDataSample]:
        """Find what each expression refers to.

        Args:
            image: path of an image, or (h, w, 3) uint8 RGB pixels.
            expressions: one or several.

        Returns:
            One sample per expression; ``pred_instances.bboxes`` (1, 4) is xyxy in pixels of the image, ``scores`` (1,) the
            probability that it is right, for a checkpoint of ``calibrate_score.py``; otherwise 1.

        Raises:
            ValueError: no expression, or a blank one.
            ImageError: the file is missing, truncated or corrupt.
        """
        texts = [expressions] if isinstance(expressions, str) else list(expressions)
        if not texts or not all(text.strip() for text in texts):
            raise ValueError(f'expected expressions, got {texts}')
        items = [self._prepare(image, text, number) for number, text in enumerate(texts)]
        with torch.inference_mode():
            return list(self.model.test_step(pseudo_collate(items)))

    def _prepare(self, image: str | Path | ImageArray, text: str, number: int) -> dict[str, Any]:
        results: dict[str, Any] = {'text': ' '.join(text.split()), 'expression_id': str(number), 'flip': False}
        results |= {'img': image, 'img_path': ''} if isinstance(image, np.ndarray) else {'img_path': str(image)}
        return self.pipeline(results)
