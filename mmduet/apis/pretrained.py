"""A model that travels: to a folder and back, to the Hugging Face hub and back, from a checkpoint."""
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import ModelCard, ModelCardData, ModelHubMixin
from mmengine.config import Config
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from mmduet.apis.checkpoints import pipeline_of, read_grounder
from mmduet.apis.description import GrounderConfig, current_versions, to_metadata
from mmduet.apis.hub import HubOptions, check_options, fetch, refuse_options, require_hub_name
from mmduet.apis.students import VOCABULARY, build_student
from mmduet.apis.teachers import portable_teacher
from mmduet.engine.config_tools import ConfigError, load_config
from mmduet.engine.own_modules import own_modules
from mmduet.engine.pretraining import KEY
from mmduet.io.errors import DataError
from mmduet.io.files import write_together
from mmduet.io.notices import say_once
from mmduet.io.safetensors_files import pack_safetensors, read_safetensors, write_safetensors
from mmduet.io.text import read_text
from mmduet.models.base_grounder import BaseGrounder
from mmduet.refshapes import STUDENT_FOLDER

if TYPE_CHECKING:
    from typing_extensions import Unpack  # of Python from 3.11 on

CONFIG, WEIGHTS, CARD = 'config.json', 'model.safetensors', 'README.md'
# The name of the student that ships with the package.
TOY = 'toy'


class PretrainedGrounder(ModelHubMixin, library_name='mmduet', tags=['visual-grounding', 'referring-expression-comprehension']):
    """A student with all that it needs to predict.

    ``save_pretrained(folder)`` writes ``config.json``, ``model.safetensors``, the vocabulary and a model card;
    ``push_to_hub(name)`` puts them on the Hugging Face hub; ``from_pretrained`` reads a folder, a name on the hub, a checkpoint
    of ``mmduet train``, or one of the authors of TransVG, VLTVG, QRNet and CLIP-VG. The name ``'toy'`` is that of the student
    that ships with the package, which knows coloured shapes only.

    Args:
        student: in eval mode.
        description: that builds it from its weights and its vocabulary alone.

    >>> from mmduet import PretrainedGrounder
    >>> type(PretrainedGrounder.from_pretrained('toy').student).__name__
    'TransVG'
    """

    def __init__(self, student: BaseGrounder, description: GrounderConfig) -> None:
        self.student = student
        self.description = description

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, *,  # type: ignore[override]  # any option, for the mixin
                        config: str | Path | Config | None = None,
                        vocabulary: str | Path | None = None,
                        **options: 'Unpack[HubOptions]') -> 'PretrainedGrounder':
        """Read a model; nothing in it is run, and no file that it was trained from is asked for.

        Args:
            pretrained_model_name_or_path: folder of ``save_pretrained``, name on the hub, checkpoint, or ``'toy'``.
            config: of a checkpoint that holds none, the config that it was trained with. A config is a Python program.
            vocabulary: of a checkpoint that holds none, the path of the ``vocab.txt`` of its BERT. None to take that of
                ``bert-base-uncased`` from the hub or its cache, which is said.
            options: of the hub, see ``HubOptions``: ``revision``, ``token``, ``cache_dir``, ``force_download``,
                ``local_files_only``.

        Raises:
            TypeError: an unknown option; neither a path nor a name.
            FileNotFoundError: there is neither such a file nor such a model; or no vocabulary.
            ConfigError: a config that does not say what to build, or is no model; an option of the hub for what is here. Of a
                checkpoint without a vocabulary, that is fetched by them.
            DataError, CheckpointError: weights that are truncated, corrupt, unsafe to read or of another model.
        """
        hub = check_options(options)
        if not isinstance(pretrained_model_name_or_path, str | Path):
            raise TypeError('a model is read by its path or its name, got a '
                            f'{type(pretrained_model_name_or_path).__name__}: PretrainedGrounder.from_model(model, config) '
                            'takes one that is in memory')
        name = str(pretrained_model_name_or_path)
        path = Path(name)
        if name == TOY and not path.exists():
            path, name = STUDENT_FOLDER, str(STUDENT_FOLDER)
        if path.is_file():
            if path.name in (CONFIG, WEIGHTS) and (path.parent / CONFIG).is_file() and config is None:
                return cls.from_pretrained(path.parent, vocabulary=vocabulary, **hub)
            refuse_options({'revision': hub.get('revision')}, f'{name} is here')
            student, about = read_grounder(path, config, vocabulary, hub)
            say_once(about.notice)
            return cls(student, about)
        if path.is_dir():
            refuse_options(hub, f'{TOY if path == STUDENT_FOLDER else name} is here')
        else:
            require_hub_name(name, (TOY, ))
        if config is not None or vocabulary is not None:
            raise ConfigError(f'config and vocabulary are for checkpoints, and {name} is none')
        if path.is_dir() and not (path / CONFIG).is_file():
            raise FileNotFoundError(f'{path} holds no {CONFIG}: it is no folder of save_pretrained; name a checkpoint')
        # Not by the mixin, which reads the config by itself, unchecked, and takes arguments out of it.
        return cls._from_pretrained(model_id=name, **hub)

    @classmethod
    def from_model(cls, model: nn.Module, config: str | Path | Config) -> 'PretrainedGrounder':
        """A copy of the student of a trained model, plain or distilled, and of what its config says of it."""
        cfg = config if isinstance(config, Config) else load_config(config)
        whole: Any = model.module if is_model_wrapper(model) else model
        trained = getattr(whole, 'student', whole)
        words = getattr(trained.data_preprocessor.tokenizer, 'vocabulary', None)
        plain = cfg.to_dict()
        student, about = build_student(plain['model'], whole.state_dict(), words, type(whole).__name__)
        return cls(student, GrounderConfig(about, pipeline_of(plain), cfg.get(KEY), teacher=portable_teacher(plain['model'])))

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> 'PretrainedGrounder':
        folder = Path(model_id)
        find = folder.__truediv__ if folder.is_dir() else partial(fetch, model_id, check_options(options))
        path = find(CONFIG)
        try:
            text = read_text(path)
        except DataError as error:
            raise ConfigError(str(error)) from error
        about = GrounderConfig.from_json(text, str(path))
        words = read_text(find(VOCABULARY)) if about.needs_vocabulary else None
        student, model = build_student(about.model, read_safetensors(find(WEIGHTS)), words, model_id)
        say_once(about.notice)
        return cls(student, replace(about, model=model))

    def save_pretrained(self, save_directory: str | Path, *, config: Any = None, repo_id: str | None = None,
                        push_to_hub: bool = False, model_card_kwargs: dict[str, Any] | None = None,
                        **options: Any) -> str | None:
        """Write all files of a model into a folder, or none: where the disk refuses one, what was there stays.

        Args:
            save_directory: is made where it is missing; a ``README.md`` that is there stays.
            config: None, as a model is saved with its own description.
            repo_id, push_to_hub, options: also put the files on the hub, under the name of the folder by default.
            model_card_kwargs: of ``generate_model_card``.

        Returns:
            The address of the commit on the hub; None without one.

        Raises:
            OSError: the disk is full or the folder cannot be written to.
            ConfigError: there is a ``config``.
        """
        if config is not None:
            raise ConfigError('a model is saved with its own description: save_pretrained takes no config')
        # Not by the mixin, which removes the config that is there before it writes anything.
        folder, card = Path(save_directory), model_card_kwargs or {}
        contents: dict[Path, Any] = {folder / CONFIG: self.description.to_json()}
        if words := self._vocabulary():
            contents[folder / VOCABULARY] = words
        if not (folder / CARD).exists():
            contents[folder / CARD] = str(self.generate_model_card(**card))
        write_together({**contents, folder / WEIGHTS: pack_safetensors(*self._pack())})
        return self.push_to_hub(repo_id or folder.name, model_card_kwargs=card, **options) if push_to_hub else None

    def save_weights(self, path: Path) -> None:
        """Write one ``.safetensors`` file that is enough to predict: config and vocabulary are in its metadata.

        Floats are stored as the student has them: after ``student.half()`` in half the room. Whoever reads the file computes in
        float32.
        """
        write_safetensors(path, *self._pack())

    def _pack(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Weights and metadata of the file."""
        head = self.student.score_head
        weights = {key: value.detach().cpu().clone().contiguous() for key, value in self.student.state_dict().items()}
        return weights, to_metadata(self.description, self._vocabulary(), type(head).__name__ if head else '')

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
            vocabulary=bool(self._vocabulary()), notice=about.notice, modules=own_modules([about.model, about.test_pipeline]),
            teacher=_say_teacher(about), versions=current_versions(), **fields)


def _say_teacher(about: GrounderConfig) -> str:
    """The teacher in words; empty without one."""
    if about.teacher is None:
        return ''
    words = [str(about.teacher[key]) for key in ('model', 'pretrained') if about.teacher.get(key)]
    return ' '.join([about.teacher['type'].__name__, *words])
