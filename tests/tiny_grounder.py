"""A real student of a few hundred parameters, and a data root for it; what runner and tools are tested with."""
import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from PIL import Image
from torch import Tensor, nn

from mmduet.models.base_grounder import BaseGrounder
from mmduet.models.data_preprocessor import GroundingDataPreprocessor
from mmduet.models.moving import move
from mmduet.structures import GroundingBatch, GroundingFeatures

SIZE = 32
CELLS = 4
CHANNELS = 8


class TinyGrounder(BaseGrounder):
    """One convolution, one embedding of words, one linear layer.

    Args:
        dropout: share of the query that is dropped, so that training draws random numbers.
        poison: id of an expression whose loss is NaN.
    """

    def __init__(self, dropout: float = 0.2, poison: str | None = None, score_head: dict[str, Any] | None = None) -> None:
        super().__init__(dict(type=GroundingDataPreprocessor), score_head=score_head)
        self.backbone = nn.Conv2d(3, CHANNELS, SIZE // CELLS, SIZE // CELLS)
        self.text_encoder = nn.Embedding(64, CHANNELS)
        self.norm = nn.LayerNorm(CHANNELS)
        self.drop = nn.Dropout(dropout)
        self.box_head = nn.Linear(CHANNELS, 4)
        self.poison = poison
        self.channels = CHANNELS

    def extract(self, batch: GroundingBatch) -> GroundingFeatures:
        visual = batch.expand(self.backbone(batch.pixels))
        padding = batch.expand(batch.padding(CELLS))
        ids = move(torch.tensor([[sum(map(ord, text)) % 64] for text in batch.texts]), visual.device)
        text = self.text_encoder(ids)
        query = self.drop(self.norm(visual.mean((2, 3)) * text[:, 0]))
        return GroundingFeatures(boxes=self.box_head(query).sigmoid()[None], query=query, visual=visual, visual_padding=padding,
                                 text=text, text_padding=torch.zeros_like(ids, dtype=torch.bool))

    def loss(self, features: GroundingFeatures, batch: GroundingBatch) -> dict[str, Tensor]:
        loss = (features.boxes[-1].float() - batch.target_boxes).abs().mean()
        if self.poison is not None and any(source.expression_id == self.poison for source in batch.sources):
            loss = loss * float('nan')
        return {'loss_bbox': loss, 'loss_none': loss * 0}


def make_data_root(folder: Path, count: int = 12, splits: tuple[str, ...] = ('train', 'val')) -> Path:
    """Write ``count`` photos of 40 x 30 px with a red rectangle each, and their expressions, as a data root."""
    rng = np.random.default_rng(0)
    images = folder / 'images'
    images.mkdir(parents=True)
    (folder / 'annotations').mkdir()
    for split in splits:
        lines = []
        for number in range(count):
            x, y = (int(v) for v in rng.integers(2, 12, 2))
            photo = rng.integers(0, 120, (30, 40, 3), dtype=np.uint8)
            photo[y:y + 12, x:x + 20] = (250, 20, 20)
            name = f'{split}_{number}.png'
            Image.fromarray(photo).save(images / name)
            lines.append(json.dumps(dict(expression_id=f'{split}{number}', image=name, image_id=f'{split}_{number}', width=40,
                                         height=30, expression=f'red thing {number}', box=[x, y, x + 20, y + 12], split=split)))
        (folder / 'annotations' / f'{split}.jsonl').write_text('\n'.join(lines) + '\n')
    manifest = dict(dataset='tiny', images='images', counts=dict.fromkeys(splits, count))
    (folder / 'manifest.json').write_text(json.dumps(manifest))
    return folder


def load_tiny_config(work_dir: Path, data_root: Path, file: str = 'tiny_config.py', **changes: Any) -> Any:
    """A config of ``tests`` with its folders set, and dotted ``changes`` (``__`` for the dot)."""
    from mmengine.config import Config
    cfg = Config.fromfile(str(Path(__file__).parent / file))
    cfg.work_dir = str(work_dir)
    # MMEngine keeps loggers and message hubs by this name for the life of the process.
    cfg.experiment_name = uuid.uuid4().hex
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[loader].dataset.data_root = str(data_root)
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in changes.items()})
    return cfg


class RankWeightsHook(Hook):
    """Write the weights of every rank to the work folder after training."""

    def after_train(self, runner: Any) -> None:
        torch.save(runner.plain_model.state_dict(), Path(runner.work_dir) / f'rank_{runner.rank}_of_{runner.world_size}.pt')
