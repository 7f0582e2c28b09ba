#!/usr/bin/env python
"""Measure how well CLIP weights read regions: the test of a pretraining config, on weights as the teacher loads them.

python tools/analysis_tools/clip_retrieval.py configs/clip/clip_tiny_refshapes.py
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
SHIPPED = 'mmduet/models/teachers/tiny_clip/clip_tiny_refshapes.safetensors'


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config whose model is a CLIPPretrainer')
    parser.add_argument('--weights', default=SHIPPED, help='open_clip weights, a file or a tag (default: the shipped ones)')
    parser.add_argument('--scenes', type=int, help='scenes to measure on (default: those of the config)')
    return parser.parse_args()


def main() -> int:
    """Print the percentages; 1 with one sentence on standard error if that cannot be done."""
    arguments = parse_arguments()
    from mmengine.dataset import pseudo_collate
    from torch.utils.data import DataLoader

    from mmduet.engine.config_tools import load_config
    from mmduet.registry import DATASETS, METRICS, MODELS
    config = load_config(arguments.config)
    config.model.pretrained = arguments.weights
    if arguments.scenes is not None:
        config.test_dataloader.dataset.length = arguments.scenes
    try:
        model = MODELS.build(config.model).eval()
    except (ValueError, FileNotFoundError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    dataset, metric = DATASETS.build(config.test_dataloader.dataset), METRICS.build(config.test_evaluator)
    for batch in DataLoader(dataset, batch_size=config.test_dataloader.batch_size, collate_fn=pseudo_collate):
        metric.process(batch, model.test_step(batch))
    print(f'{arguments.weights} on {len(dataset)} scenes of seed {dataset.seed}, split {dataset.split}')
    for name, value in metric.evaluate(len(dataset)).items():
        print(f'{name:32}{value:6.1f}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
