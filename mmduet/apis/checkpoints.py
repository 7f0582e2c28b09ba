"""What a checkpoint file says of itself: config, vocabulary, data overlap; and of the authors' files, what their names tell."""
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor

from mmduet.apis.description import CONFIG_KEY, VOCABULARY_KEY, GrounderConfig
from mmduet.apis.hub import HubOptions
from mmduet.apis.plain_config import parse_config_text, to_types
from mmduet.apis.students import build_student
from mmduet.apis.teachers import portable_teacher
from mmduet.engine.config_tools import ConfigError, load_config
from mmduet.engine.pretraining import KEY, meta_of
from mmduet.io.files import find_file
from mmduet.io.safetensors_files import read_metadata
from mmduet.io.text import read_text
from mmduet.io.weights import read_meta, read_weights
from mmduet.models.base_grounder import BaseGrounder
from mmduet.models.conversion import convert, recognise

# Full-size configs of the authors' checkpoints, by layout and depth of the ResNet, None for another backbone.
FULL_SIZE = {('transvg', 50): 'configs/transvg/transvg_refcoco.py', ('transvg', 101): 'configs/transvg/transvg_r101_refcoco.py',
             ('vltvg', 50): 'configs/vltvg/vltvg_refcoco.py', ('vltvg', 101): 'configs/vltvg/vltvg_r101_refcoco.py',
             ('qrnet', None): 'configs/qrnet/qrnet_refcoco.py', ('clip_vg', None): 'configs/clip_vg/clip_vg_refcoco.py'}
_DEEP = 'visual_encoder.backbone.layer3.22.'  # a block that ResNet-101 has and ResNet-50 has not


def read_grounder(path: Path, config: str | Path | Config | None = None,
                  vocabulary: str | Path | None = None, hub: HubOptions | None = None) -> tuple[BaseGrounder, GrounderConfig]:
    """A student from a checkpoint of ours or of the authors of TransVG, VLTVG, QRNet or CLIP-VG.

    Args:
        path: file of ``mmduet train``, or a ``.safetensors`` of ours, which hold their config; another needs ``config``.
            Authors' files need none.
        config: training config, which is a Python program and is run; None for that in the file, which is not.
        vocabulary: path of a ``vocab.txt``; None for that in the file, or else for what the config names.
        hub: how that is taken from the hub.

    Returns:
        The student, and what its file or ``config`` says of it.

    Raises:
        DataError: the file is truncated, corrupt or not safe to read.
        CheckpointError: it is of another model than the config's.
        ConfigError: it holds no config and is of no layout that is known.
    """
    plain = path.suffix == '.safetensors'
    weights, meta = read_weights(path), read_metadata(path) if plain else read_meta(path)
    words = read_text(find_file(vocabulary)) if vocabulary is not None else meta.get(VOCABULARY_KEY)
    if plain and config is None and CONFIG_KEY in meta:
        about = GrounderConfig.from_json(meta[CONFIG_KEY], f'the config in {path}')
        student, model = build_student(about.model, weights, words, path, hub)
        return student, replace(about, model=model)
    excludes = (meta_of(meta) if plain else meta).get(KEY)
    teacher: dict[str, Any] | None = None
    if config is not None:
        cfg: Any = config if isinstance(config, Config) else load_config(config)
        excludes = cfg.get(KEY) if excludes is None else excludes
        cfg = cfg.to_dict()
        teacher = portable_teacher(cfg['model']) if isinstance(cfg.get('model'), Mapping) else None
    elif isinstance(meta.get('cfg'), str):
        cfg = parse_config_text(meta['cfg'], str(path))
        trained = cfg.get('model')
        teacher = portable_teacher(trained) if isinstance(trained, Mapping) else None
        # Of a distilled model the student alone: teachers, terms and samplers may be what only a training knows.
        trained = trained.get('student', trained) if isinstance(trained, Mapping) else None
        cfg = {**cfg, 'model': to_types(trained, str(path)), 'test_pipeline': to_types(pipeline_of(cfg), str(path))}
        cfg.pop('test_dataloader', None)
    else:
        weights, cfg = _full_size(weights, path)
    if not isinstance(cfg.get('model'), Mapping):
        raise ConfigError(f'the config of {path} has no model')
    student, model = build_student(cfg['model'], weights, words, path, hub)
    known = list(excludes) if isinstance(excludes, list | tuple) else None
    return student, GrounderConfig(model, pipeline_of(cfg), known, teacher=teacher)


def pipeline_of(cfg: Mapping[str, Any]) -> list[Any]:
    """The transforms of the test images."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset', {})
    return list(dataset.get('pipeline') or cfg.get('test_pipeline') or [])


def _full_size(theirs: Mapping[str, Tensor], path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The authors' weights in our layout, and the config of the student they are of, for as many tokens as they have."""
    try:
        layout = recognise(theirs)
    except ValueError as error:
        raise ConfigError(f'{path} holds no config, and is not of the authors of TransVG, VLTVG, QRNet or CLIP-VG: give the '
                          f'config that it was trained with as config= ({error})') from error
    if layout.name not in {name for name, _ in FULL_SIZE}:
        raise ConfigError(f'{path} is a {layout.name} checkpoint, which starts a student and is none')
    weights = convert(theirs, layout)
    depth = (101 if any(key.startswith(_DEEP) for key in weights) else 50) if (layout.name, 50) in FULL_SIZE else None
    cfg = load_config(FULL_SIZE[layout.name, depth]).to_dict()
    model = cfg['model']
    if layout.name in ('transvg', 'qrnet'):
        # Some data sets have 20 tokens and some 40; the positions are one, those of the text tokens and of the visual ones.
        side = model['feature_size']
        visual = side**2 + ((side // 2)**2 if layout.name == 'qrnet' else 0)
        model['text_encoder']['max_tokens'] = len(weights['positions.weight']) - 1 - visual
    return weights, cfg
