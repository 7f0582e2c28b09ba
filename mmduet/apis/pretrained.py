"""A model that travels: to a folder and back, to the Hugging Face hub and back, from a checkpoint."""
import json
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import mmengine
import torch
from huggingface_hub import ModelCard, ModelCardData, ModelHubMixin, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from mmengine.config import Config
from torch import nn

import mmduet
from mmduet.apis.checkpoints import pipeline_of, read_grounder
from mmduet.apis.plain_config import to_names, to_types
from mmduet.apis.students import VOCABULARY, build_student
from mmduet.compat import detect_host
from mmduet.engine.config_tools import ConfigError, load_config
from mmduet.engine.pretraining import KEY
from mmduet.io.config_files import nearest
from mmduet.io.files import write_atomically
from mmduet.io.safetensors_files import read_safetensors, write_safetensors
from mmduet.models.base_grounder import BaseGrounder

CONFIG, WEIGHTS = 'config.json', 'model.safetensors'
FORMAT = 1
_HUB_NAME = re.compile(r'[\w.-]+(/[\w.-]+)?')
_FILES = ('.pth', '.pt', '.safetensors', '.ckpt', '.bin', '.py', '.json')


@dataclass(frozen=True, slots=True)
class GrounderConfig:
    """What stands in ``config.json`` beside the versions, with classes in the place of names."""

    model: dict[str, Any]
    test_pipeline: list[Any]
    pretrain_excludes: list[str] | None = None
    versions: dict[str, str] = field(default_factory=dict)  # that the weights were saved with; empty before they were


def _versions() -> dict[str, str]:
    return {'mmduet': mmduet.__version__, 'torch': torch.__version__, 'mmengine': mmengine.__version__, 'host': detect_host()}


class PretrainedGrounder(ModelHubMixin, library_name='mmduet', tags=['visual-grounding', 'referring-expression-comprehension']):
    """A student with all that it needs to predict.

    ``save_pretrained(folder)`` writes ``config.json``, ``model.safetensors``, the vocabulary and a model card;
    ``push_to_hub(name)`` puts them on the Hugging Face hub; ``from_pretrained`` reads a folder, a name on the hub, a checkpoint
    of ``tools/train.py``, or one of the authors of TransVG, VLTVG, QRNet and CLIP-VG.

    Args:
        student: in eval mode.
        description: that builds it from its weights and its vocabulary alone.
    """

    def __init__(self, student: BaseGrounder, description: GrounderConfig) -> None:
        self.student = student
        self.description = description

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, *, config: str | Path | Config | None = None,
                        vocabulary: str | Path | None = None, **options: Any) -> 'PretrainedGrounder':
        """Read a model; nothing in it is run, and no file that it was trained from is asked for.

        Args:
            pretrained_model_name_or_path: folder of ``save_pretrained``, name on the hub, or checkpoint.
            config: of a checkpoint that holds none, the config that it was trained with. A config is a Python program.
            vocabulary: of a checkpoint that holds none, the path of the ``vocab.txt`` of its BERT. None to take that of
                ``bert-base-uncased`` from the hub or its cache, which is said.
            options: ``revision``, ``token``, ``cache_dir``, ``force_download``, ``local_files_only`` of the hub.

        Raises:
            FileNotFoundError: there is neither such a file nor such a model; or no vocabulary.
            ConfigError: a config that does not say what to build.
            DataError, CheckpointError: weights that are truncated, corrupt, unsafe to read or of another model.
        """
        name = str(pretrained_model_name_or_path)
        path = Path(name)
        if path.is_file():
            if path.name in (CONFIG, WEIGHTS) and (path.parent / CONFIG).is_file() and config is None:
                return cls.from_pretrained(path.parent, vocabulary=vocabulary)
            student, model, pipeline, excludes = read_grounder(path, config, vocabulary)
            return cls(student, GrounderConfig(model, pipeline, excludes))
        if config is not None or vocabulary is not None:
            raise ConfigError(f'config and vocabulary are for checkpoints, and {name} is none')
        if path.is_dir():
            if not (path / CONFIG).is_file():
                raise FileNotFoundError(f'{path} holds no {CONFIG}: it is no folder of save_pretrained; name a checkpoint')
        elif not _HUB_NAME.fullmatch(name) or path.suffix in _FILES:
            near = nearest(path.name, (file.name for file in path.parent.glob('*')))
            raise FileNotFoundError(f'there is no checkpoint or folder {name}{near}')
        return super().from_pretrained(name, **options)

    @classmethod
    def from_model(cls, model: nn.Module, config: str | Path | Config) -> 'PretrainedGrounder':
        """A copy of the student of a trained model, plain or distilled, and of what its config says of it."""
        cfg = config if isinstance(config, Config) else load_config(config)
        trained: Any = getattr(model, 'student', model)
        words = getattr(trained.data_preprocessor.tokenizer, 'vocabulary', None)
        student, about = build_student(cfg.to_dict()['model'], model.state_dict(), words, type(model).__name__)
        return cls(student, GrounderConfig(about, pipeline_of(cfg.to_dict()), cfg.get(KEY)))

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> 'PretrainedGrounder':
        folder = Path(model_id)
        fetch = partial(_fetch, model_id, {key: value for key, value in options.items() if key in _HUB_OPTIONS})
        find = folder.__truediv__ if folder.is_dir() else fetch
        model, pipeline, excludes, versions = _read_config(find(CONFIG), model_id)
        text = model.get('text_encoder')
        needs_words = isinstance(text, dict) and text.get('vocab') is not None
        words = find(VOCABULARY).read_text(encoding='utf-8') if needs_words else None
        student, model = build_student(model, read_safetensors(find(WEIGHTS)), words, model_id)
        return cls(student, GrounderConfig(model, pipeline, excludes, versions))

    def _save_pretrained(self, save_directory: Path) -> None:
        about = self.description
        content = {'format': FORMAT, 'library_name': 'mmduet', 'model': to_names(about.model, 'model'),
                   'test_pipeline': to_names(about.test_pipeline, 'test_pipeline'), KEY: about.pretrain_excludes,
                   'versions': _versions()}
        weights = {key: value.detach().cpu().clone().contiguous() for key, value in self.student.state_dict().items()}
        write_safetensors(save_directory / WEIGHTS, weights, {
            'format': 'pt', KEY: json.dumps(about.pretrain_excludes), **{f'{key}_version': value for key, value in
                                                                         _versions().items() if key != 'host'},
            'host': detect_host(), 'score_head': type(self.student.score_head).__name__ if self.student.score_head else ''})
        if words := self._vocabulary():
            write_atomically(save_directory / VOCABULARY, words)
        write_atomically(save_directory / CONFIG, json.dumps(content, indent=2, sort_keys=True) + '\n')

    def _vocabulary(self) -> str | None:
        tokenizer = self.student.data_preprocessor.tokenizer
        return None if tokenizer is None else tokenizer.vocabulary

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Put the files of ``save_pretrained`` on the hub in one commit; see ``huggingface_hub.ModelHubMixin.push_to_hub``."""
        options['model_card_kwargs'] = {'repo_id': repo_id, **(options.get('model_card_kwargs') or {})}
        url: str = super().push_to_hub(repo_id, **options)
        return url

    def generate_model_card(self, *_: Any, repo_id: str | None = None, **fields: Any) -> ModelCard:
        """The ``README.md`` of the model: what it is, how to use it, data overlap, score, versions."""
        student, about = self.student, self.description
        sizes = [step['size'] for step in about.test_pipeline if 'size' in step]
        tokenizer = student.data_preprocessor.tokenizer
        score = ('It has no score: `result.score` is None.' if student.score_head is None else
                 f'`result.score` is the probability that the box is right (IoU of at least 0.5), by its '
                 f'{type(student.score_head).__name__}, whose calibration is in the weights.')
        data = ModelCardData(library_name='mmduet', tags=['visual-grounding', 'referring-expression-comprehension'])
        return ModelCard.from_template(
            data, template_path=str(Path(__file__).parent / 'templates/model_card.md'), student=type(student).__name__,
            parameters=sum(value.numel() for value in student.parameters()), size=sizes[-1] if sizes else 'other',
            tokens=tokenizer and tokenizer.max_tokens, excludes=about.pretrain_excludes, score=score, repo_id=repo_id,
            vocabulary=bool(self._vocabulary()), versions=_versions(), **fields)


_HUB_OPTIONS = ('revision', 'cache_dir', 'force_download', 'local_files_only', 'token')


def _fetch(name: str, options: dict[str, Any], file: str) -> Path:
    try:
        return Path(hf_hub_download(name, file, **options))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = f'{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}'
        raise FileNotFoundError(f'there is no folder or checkpoint {name}, and {file} of a model of this name cannot be '
                                f'fetched from the Hugging Face hub ({reason})') from error


def _read_config(path: Path, source: str) -> tuple[dict[str, Any], list[Any], list[str] | None, dict[str, str]]:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f'{path} is no JSON ({error})') from error
    model, pipeline = (content.get(key) if isinstance(content, dict) else None for key in ('model', 'test_pipeline'))
    if not isinstance(model, dict) or not isinstance(pipeline, list) or not pipeline:
        raise ConfigError(f'{path} has no model and test_pipeline: it is not of a grounder of mmduet')
    if content.get('format') != FORMAT:
        raise ConfigError(f'{path} has format {content.get("format")!r}; mmduet {mmduet.__version__} reads format {FORMAT}')
    text = model.get('text_encoder')
    if isinstance(text, dict) and text.get('vocab') not in (None, VOCABULARY):
        raise ConfigError(f'{path} names the vocabulary {text["vocab"]!r:.80}; it must lie beside it as {VOCABULARY}')
    if isinstance(text, dict):
        text['pretrained'] = None
    excludes, versions = content.get(KEY), content.get('versions')
    return (to_types(model, str(path)), to_types(pipeline, str(path)), excludes if isinstance(excludes, list) else None,
            versions if isinstance(versions, dict) else {})
