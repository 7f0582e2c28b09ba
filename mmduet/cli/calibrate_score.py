"""Publish a student whose answers carry a score: the probability, in [0, 1], that the box is right.

    mmduet calibrate-score CONFIG CHECKPOINT OUT

A distilled checkpoint brings what it was distilled by: how well expression and predicted region agree is its score, and
nothing is trained for it. A student with a score head of its own has that one. The calibration is fitted on every second
expression of val; what is printed is of the others. OUT (.pth or .safetensors) is the student alone, with its config: the
inferencer takes it as it is, mmduet test with the config of the plain or of the distilled student.
"""
import argparse
from functools import partial
from pathlib import Path
from typing import Any

from mmduet.cli import common, running


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    common.add_model_flags(parser)
    parser.add_argument('checkpoint', type=common.checkpoint_file,
                        help='written by mmduet train, or a folder of save_pretrained')
    parser.add_argument('out', type=common.file_ending('.pth', '.safetensors'), help='file to write (.pth or .safetensors)')
    parser.set_defaults(splits=['val'], show_dir=None, work_dir=None, launcher='none', writes=lambda args: [args.out],
                        reads=lambda args: [args.checkpoint])


def run(args: argparse.Namespace) -> int:
    """Fit, print, write."""
    import numpy as np
    import torch

    from mmduet.engine.checkpoint import CheckpointError, load_strictly, read_checkpoint, write_checkpoint
    from mmduet.evaluation.scores import fit_calibration, rate_scores
    from mmduet.models.distill.publishing import publish_student
    from mmduet.models.score_heads import with_score_head
    from mmduet.registry import MODELS

    source = read_checkpoint(args.checkpoint)
    weights = publish_student(source['state_dict'])
    cfg = common.load_for_test(args)
    with common.building(cfg):
        model = MODELS.build(with_score_head(cfg.model, weights)).eval()
    if model.score_head is None:
        raise CheckpointError(f'{args.checkpoint} has nothing to tell right from wrong by: neither a distillation head with '
                              'projections of expression and region nor a score head')
    # A head that distillation trained has no calibration yet.
    weights = {f'score_head.{name}': buffer for name, buffer in model.score_head.named_buffers()} | weights
    load_strictly(model, weights, args.checkpoint)
    values, hits = read_answers(model, cfg)
    scale, bias = fit_calibration(values[::2], hits[::2])
    before = torch.from_numpy(values[1::2]).float() @ model.score_head.scale + model.score_head.bias
    scores = {'before': before.sigmoid().double().numpy(), 'after': 1 / (1 + np.exp(-(values[1::2] @ scale + bias)))}
    print(f'{type(model.score_head).__name__}, {len(values[1::2])} expressions of val that the calibration did not see, '
          f'{100 * hits[1::2].mean():.2f} % right')
    for name, score in scores.items():
        figures = ', '.join(f'{key} {value:.2f}' for key, value in rate_scores(score, hits[1::2]).items())
        print(f'{name} calibration: {figures}')
    weights |= {'score_head.scale': torch.from_numpy(scale).float(), 'score_head.bias': torch.tensor(bias)}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if args.out.suffix == '.safetensors':
        load_strictly(model, weights, args.checkpoint)
        write_published(model, cfg, source['meta'], args.out)
    else:
        write_checkpoint({'meta': source['meta'], 'state_dict': weights}, args.out)
    print(f'{args.out}: the student with its score')
    return 0


def write_published(model: Any, cfg: Any, meta: dict[str, Any], out: Path) -> None:
    """A safetensors file of a student, with its config, so that the file is enough to predict, and with what is known of it."""
    from dataclasses import replace

    from mmduet.apis import PretrainedGrounder
    from mmduet.apis.plain_config import parse_config_text
    from mmduet.apis.teachers import portable_teacher
    from mmduet.engine.config_tools import ConfigError
    from mmduet.engine.pretraining import KEY
    from mmduet.io.safetensors_files import write_safetensors
    grounder = PretrainedGrounder.from_model(model, cfg)
    trained = parse_config_text(meta['cfg'], str(out)).get('model') if isinstance(meta.get('cfg'), str) else None
    about = grounder.description
    grounder.description = replace(about, pretrain_excludes=meta.get(KEY, about.pretrain_excludes),
                                   teacher=portable_teacher(trained) if isinstance(trained, dict) else about.teacher)
    try:
        grounder.save_weights(out)
    except ConfigError as error:  # a student in no registry, which nobody could build from a file
        print(f'{out} holds no config: {error}')
        write_safetensors(out, {name: value.contiguous() for name, value in model.state_dict().items()})


def read_answers(model: Any, cfg: Any) -> tuple[Any, Any]:
    """(N, K) readings of the score head for the expressions of val, and (N,) whether the answer is right."""
    import numpy as np
    import torch
    from mmengine.runner import Runner

    from mmduet.evaluation import GroundingMetric
    from mmduet.registry import METRICS
    metric: GroundingMetric = METRICS.build({**common.grounding_evaluator(cfg), 'out_file': None})
    readings = []
    with torch.inference_mode():
        for data in Runner.build_dataloader(cfg.test_dataloader):
            batch = model.data_preprocessor(data)['batch']
            features = model.extract(batch)
            readings.append(model.score_head.read(features.float()))
            metric.process(None, model.predict(features, batch))
    return torch.cat(readings).double().numpy(), np.array([answer['right'] for answer in metric.results])


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
