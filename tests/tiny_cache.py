"""A data root of images that need no resize, and caches of the tiny CLIP over it."""
import json
from collections.abc import Set
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from mmduet.cli import cache_teacher as tool
from mmduet.datasets import GroundingDataset, ImageGroupSampler, grounding_collate
from mmduet.models import GroundingDataPreprocessor
from mmduet.models.base_teacher import BaseTeacher
from mmduet.structures import GroundingBatch, TeacherTargets
from tests.tiny_data import write_lines, write_photo

CONFIG = str(Path(__file__).parent / 'tiny_cached_config.py')
SIZES = ((32, 24), (20, 32), (32, 32))
WORDS = ('the left cup', 'a red box', 'the number 7 on the right', 'a red box')


def make_cache_root(root: Path, images: int = 6, seed: int = 0, splits: tuple[str, ...] = ('train', 'val')) -> Path:
    """Images with two expressions about different boxes and three annotated objects each."""
    rng = np.random.default_rng(seed)
    objects = []
    for split in splits:
        records = []
        for number in range(images):
            width, height = SIZES[number % len(SIZES)]
            name, key = f'{split}_{number}.png', f'{split}_{number}'
            write_photo(root / 'images' / name, width, height, seed=1000 * seed + len(objects))
            low = rng.uniform(0, [width - 12, height - 12], (3, 2))
            boxes = np.concatenate([low, low + rng.uniform(6, 12, (3, 2))], axis=1).round(2).tolist()
            objects.append(dict(image_id=key, image=name, boxes=boxes))
            records += [dict(expression_id=f'{split}{number}{letter}', image=name, image_id=key, width=width, height=height,
                             expression=WORDS[(2 * number + place) % len(WORDS)], box=boxes[place], split=split)
                        for place, letter in enumerate('ab')]
        write_lines(root / 'annotations' / f'{split}.jsonl', records)
    write_lines(root / 'annotations' / 'objects.jsonl', objects)
    (root / 'manifest.json').write_text(json.dumps({'dataset': 'tiny', 'images': 'images'}))
    return root


def write_cache(root: Path, out: Path, *flags: str) -> Path:
    """Run the tool in this process and return the folder of the cache."""
    tool.run(tool.parse_args([CONFIG, '--data-root', str(root), '--out', str(out), *flags]))
    return out


def load_config(root: Path, cache: Path | None = None, **teacher: Any) -> Any:
    """The config over this data root, with the cache instead of its teacher if one is given."""
    cfg = Config.fromfile(CONFIG)
    cfg.train_dataloader.dataset.data_root = str(root)
    cfg.model.teacher.update(teacher)
    if cache is not None:
        # By name: MMEngine 0.10.7 cannot print a class that was put into a config later.
        cfg.model['teacher'] = dict(type='mmduet.CachedTeacher', cache=str(cache), teacher=cfg.model.teacher)
    return cfg


def build_dataset(root: Path, *transforms: dict[str, Any], **changes: Any) -> GroundingDataset:
    """The training data, with other transforms between loading and packing if some are given."""
    config = dict(load_config(root).train_dataloader.dataset.to_dict())
    if transforms:
        config['pipeline'] = [config['pipeline'][0], *transforms, *config['pipeline'][2:]]
    config.pop('type')
    return GroundingDataset(**{**config, **changes})


def ask(teacher: BaseTeacher, dataset: GroundingDataset, required: Set[str],
        share: bool = False) -> tuple[TeacherTargets, GroundingBatch]:
    """What a teacher gives about all of a data set, as one batch; and that batch, whose expressions may share images."""
    if share:
        items = dataset.__getitems__(sorted(ImageGroupSampler(dataset, expressions_per_image=99, shuffle=False, seed=0)))
    else:
        items = [dataset[index] for index in range(len(dataset))]
    batch = GroundingDataPreprocessor()(grounding_collate(items))['batch']
    return teacher(batch, required), batch
