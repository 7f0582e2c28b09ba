"""Measure how well CLIP weights tell regions apart and ground expressions: the test of a pretraining config, in percent.

    mmduet clip-retrieval clip_tiny_refshapes --search 200

Weights are loaded as the teacher loads them. Every scene is also measured in a mirror, as students get half of them.
"""
import argparse
import sys
from functools import partial
from typing import Any

from mmduet.cli import common, running

SHIPPED = 'mmduet/refshapes/tiny_clip/clip_tiny_refshapes.safetensors'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('config', help='config whose model is a CLIPPretrainer')
    common.add_change_flags(parser)
    parser.add_argument('--weights', default=SHIPPED, help='open_clip weights, a file or a tag (default: the shipped ones)')
    parser.add_argument('--scenes', type=int, help='scenes to measure on (default: those of the config)')
    parser.add_argument('--search', type=int, default=0,
                        help='also ground the expressions of this many scenes with no box given, by trying boxes everywhere')


def measure(model: Any, config: Any, mirror: bool) -> dict[str, float]:
    """Percentages by name on the scenes of the config, mirrored or not."""
    from mmengine.dataset import pseudo_collate
    from torch.utils.data import DataLoader

    from mmduet.registry import DATASETS, METRICS
    dataset = DATASETS.build({**config.test_dataloader.dataset, 'mirror': float(mirror)})
    metric = METRICS.build(config.test_evaluator)
    for batch in DataLoader(dataset, batch_size=config.test_dataloader.batch_size, collate_fn=pseudo_collate):
        metric.process(batch, model.test_step(batch))
    found: dict[str, float] = metric.evaluate(len(dataset))
    return found


def search_accuracy(model: Any, config: Any, mirror: bool, scenes: int) -> float:
    """Percent of expressions whose best window overlaps the target by an IoU of at least 0.5."""
    from mmduet.refshapes.zero_shot import make_windows, search
    from mmduet.registry import DATASETS
    from mmduet.structures.boxes import iou_cxcywh
    dataset = DATASETS.build({**config.test_dataloader.dataset, 'mirror': float(mirror), 'length': scenes})
    windows, right = make_windows(dataset.image_size), 0
    for index in range(scenes):
        item = dataset[index]
        sample = item['data_samples']
        box = search(model, item['inputs'], sample.expression, windows)
        right += bool(iou_cxcywh(box, sample.boxes[sample.target]) >= 0.5)
    return 100 * right / scenes


def run(arguments: argparse.Namespace) -> int:
    """Print the percentages; 1 with one sentence on standard error if that cannot be done."""
    from mmduet.registry import MODELS
    config = common.change_config(arguments.config, arguments)
    config.model.pretrained = arguments.weights
    data = config.test_dataloader.dataset
    if arguments.scenes is not None:
        data.length = arguments.scenes
    try:
        model = MODELS.build(config.model).eval()
        columns = [measure(model, config, mirror) for mirror in (False, True)]
    except (ValueError, FileNotFoundError, RuntimeError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'{arguments.weights} on {data.length} scenes of seed {data.seed}, split {data.split}')
    print(f'{"":32}{"upright":>9}{"mirrored":>9}')
    for name in columns[0]:
        print(f'{name:32}' + ''.join(f'{column[name]:9.1f}' for column in columns))
    if arguments.search:
        found = [search_accuracy(model, config, mirror, arguments.search) for mirror in (False, True)]
        print(f'{f"search/acc@0.5, {arguments.search} scenes":32}' + ''.join(f'{value:9.1f}' for value in found))
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
