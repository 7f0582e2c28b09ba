#!/usr/bin/env python
"""Measure how the teacher's semantics weigh the visual tokens of a dense contrast: on other objects, and on the ground.

    python projects/ablation/weigh_tokens.py configs/duet/transvg_duet_cached_refshapes.py

Batches are those of training, and the teacher encodes them as in training; nothing is learnt.
"""
import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from mmduet.cli import common, running


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_data_flags(parser)
    parser.add_argument('--batches', type=common.positive, default=50, metavar='N', help='batches to weigh (default: 50)')
    return parser.parse_args(arguments)


def weigh(args: argparse.Namespace) -> None:
    """Weigh, count and print.

    Raises:
        ConfigError: the config has no dense contrast that weighs by semantics.
    """
    import torch
    from mmengine.device import get_device
    from mmengine.registry import MODELS, DefaultScope
    from mmengine.runner import Runner

    from mmduet.engine.config_tools import ConfigError
    from mmduet.models.distill import DenseContrastTerm
    from projects.ablation.weight_facts import WeightFacts
    cfg = common.load(args)
    with common.building(cfg), DefaultScope.overwrite_default_scope('mmduet'):
        model: Any = MODELS.build(cfg.model).to(get_device()).eval()
    terms = model.head.terms if hasattr(model, 'head') else {}
    name = next((name for name, term in terms.items() if isinstance(term, DenseContrastTerm) and term.semantics_weight), None)
    if name is None:
        raise ConfigError(f'{args.config} has no dense contrast that weighs by semantics')
    facts = WeightFacts()
    with torch.no_grad():
        for _, data in zip(range(args.batches), Runner.build_dataloader(cfg.train_dataloader, seed=0), strict=False):
            batch = model.data_preprocessor(data, training=True)['batch']
            targets = model.teach(batch)[model.head.teacher_of[name]]
            facts.add(*weigh_batch(terms[name], model.student.extract(batch), targets, batch))
    print(facts.describe())


def weigh_batch(term: Any, features: Any, targets: Any, batch: Any) -> tuple[Any, Any, Any]:
    """(B, N) each: the weights of the tokens, True where one is a negative, True where one lies on another annotated object."""
    from mmduet.models.distill.terms.dense_contrast_term import token_coverage
    from projects.ablation.anchors import coverages
    from projects.ablation.weight_facts import LEAST_COVERAGE
    size = features.answer_map.shape[2:]
    outside = (token_coverage(batch.target_boxes, size) == 0) & ~features.visual_padding.flatten(1)
    weights = term.weights(targets, batch, outside, size)
    covered = coverages(batch.expand(batch.other_boxes), size) >= LEAST_COVERAGE
    return weights, outside, (covered & batch.has_other[..., None]).any(dim=1)


if __name__ == '__main__':
    running.run(lambda: weigh(parse_args()))
