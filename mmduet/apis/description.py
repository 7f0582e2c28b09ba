"""What a published model says of itself: how to build it, how its images are prepared, and what its users must know."""
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mmengine
import torch

import mmduet
from mmduet.apis.plain_config import to_names, to_types
from mmduet.apis.students import VOCABULARY
from mmduet.apis.teachers import portable_teacher
from mmduet.compat import detect_host
from mmduet.engine.config_tools import ConfigError
from mmduet.engine.pretraining import KEY

FORMAT = 1
# Of the metadata of a safetensors file: what is ``config.json`` beside it, and its vocabulary.
CONFIG_KEY, VOCABULARY_KEY = 'config', 'vocabulary'


@dataclass(frozen=True, slots=True)
class GrounderConfig:
    """What stands in ``config.json`` beside the versions, with classes in the place of names.

    Attributes:
        model: config that builds the student from its weights and its vocabulary alone.
        test_pipeline: the transforms of its images.
        pretrain_excludes: data sets whose val and test images its pre-training has not seen; None where nobody says.
        versions: that the weights were saved with; empty before they were.
        teacher: config of the teacher that it was distilled from; None without one, or where it is on one machine only.
        notice: what everybody must know who uses it, one sentence; empty for nothing.
    """

    model: dict[str, Any]
    test_pipeline: list[Any]
    pretrain_excludes: list[str] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    teacher: dict[str, Any] | None = None
    notice: str = ''

    def to_json(self) -> str:
        """The text of ``config.json``, with the versions of now.

        Raises:
            ConfigError: a class that is in no registry, or a value that JSON has not.
        """
        content = {'format': FORMAT, 'library_name': 'mmduet', 'model': to_names(self.model, 'model'),
                   'test_pipeline': to_names(self.test_pipeline, 'test_pipeline'), KEY: self.pretrain_excludes,
                   'versions': current_versions(), 'teacher': to_names(self.teacher, 'teacher'), 'notice': self.notice}
        return json.dumps(content, indent=2, sort_keys=True) + '\n'

    @classmethod
    def from_json(cls, text: str, source: str) -> 'GrounderConfig':
        """Read the text of a ``config.json``; nothing in it is run.

        Raises:
            ConfigError: it is none, or of another format, or names what is in no registry; names ``source``.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f'{source} is no JSON ({error})') from error
        model, pipeline = (content.get(key) if isinstance(content, dict) else None for key in ('model', 'test_pipeline'))
        if not isinstance(model, dict) or not isinstance(pipeline, list) or not pipeline:
            raise ConfigError(f'{source} has no model and test_pipeline: it is not of a grounder of mmduet')
        if content.get('format') != FORMAT:
            raise ConfigError(f'{source} has format {content.get("format")!r}; mmduet {mmduet.__version__} reads format '
                              f'{FORMAT}')
        encoder = model.get('text_encoder')
        if isinstance(encoder, dict) and encoder.get('vocab') not in (None, VOCABULARY):
            raise ConfigError(f'{source} names the vocabulary {encoder["vocab"]!r:.80}; it must lie beside it as {VOCABULARY}')
        if isinstance(encoder, dict):
            encoder['pretrained'] = None
        excludes, versions, notice = content.get(KEY), content.get('versions'), content.get('notice')
        return cls(to_types(model, source), to_types(pipeline, source), excludes if isinstance(excludes, list) else None,
                   versions if isinstance(versions, dict) else {}, portable_teacher(content), str(notice or ''))

    @property
    def needs_vocabulary(self) -> bool:
        """Whether a ``vocab.txt`` belongs to the weights."""
        encoder = self.model.get('text_encoder')
        return isinstance(encoder, Mapping) and encoder.get('vocab') is not None


def current_versions() -> dict[str, str]:
    """The versions of what weights are saved with, and the host."""
    return {'mmduet': mmduet.__version__, 'torch': torch.__version__, 'mmengine': mmengine.__version__, 'host': detect_host()}


def to_metadata(about: GrounderConfig, vocabulary: str | None, score_head: str) -> dict[str, str]:
    """Metadata of a safetensors file by which the file alone is enough to predict."""
    versions = {name if name == 'host' else f'{name}_version': value for name, value in current_versions().items()}
    words = {} if vocabulary is None else {VOCABULARY_KEY: vocabulary}
    return {'format': 'pt', KEY: json.dumps(about.pretrain_excludes), 'score_head': score_head, **versions,
            CONFIG_KEY: about.to_json(), **words}
