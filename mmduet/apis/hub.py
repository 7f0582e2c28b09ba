"""Which names of models are asked for on the Hugging Face hub, and how; what can only be a path never is."""
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from mmduet.apis.image_inputs import SUFFIXES
from mmduet.engine.config_tools import ConfigError
from mmduet.io.config_files import list_configs, nearest

_NAME = re.compile(r'[\w-][\w.-]*/[\w-][\w.-]*')
# Of files that somebody may take for a model; what else stands behind a point, as in `someone/duet.refcoco`, is of a name.
_FILES = ('.pth', '.pt', '.safetensors', '.ckpt', '.bin', '.pkl', '.onnx', '.py', '.json', '.yaml', '.zip', '.tar', '.gz',
          *SUFFIXES)


class HubOptions(TypedDict, total=False):
    """How a model is taken from the Hugging Face hub, as ``huggingface_hub.hf_hub_download`` takes it.

    Attributes:
        revision: branch, tag or commit; of names on the hub alone.
        token: of who may read it; True for that of ``hf auth login``, False for none.
        cache_dir: folder in the place of the hub's own cache.
        force_download: fetch what is in the cache again.
        local_files_only: fetch nothing: the cache alone.
    """

    revision: str | None
    token: str | bool | None
    cache_dir: str | Path | None
    force_download: bool
    local_files_only: bool


def check_options(options: Mapping[str, Any]) -> HubOptions:
    """Options of the hub; a ``TypeError`` names what is none of them."""
    known = list(HubOptions.__annotations__)
    if strange := sorted(set(options) - set(known)):
        raise TypeError(f'unknown option {", ".join(strange)}{nearest(strange[0], known)}; the hub has {", ".join(known)}')
    return cast(HubOptions, dict(options))


def refuse_options(options: HubOptions, what: str) -> None:
    """Raise a ``ConfigError`` for options that would do nothing, as nothing is fetched; those that promise that may be given.

    Args:
        what: where the model is instead, to be read after ``and``.
    """
    given = [name for name in ('revision', 'token', 'cache_dir', 'force_download') if options.get(name)]
    if given:
        raise ConfigError(f'a {" and a ".join(given)} is for names on the hub, and {what}')


def require_hub_name(name: str, known: tuple[str, ...] = ()) -> None:
    """Raise for what is neither here nor can be a model on the hub, so that the hub is not asked for it.

    A model on the hub is ``OWNER/MODEL``, without the suffix of a file, and ``OWNER`` is no folder here.

    Args:
        name: that of no file and no folder.
        known: names that are neither, for a suggestion.

    Raises:
        ConfigError: the name of a config, which has no weights.
        FileNotFoundError: something else; names what is nearest to it.
    """
    path = Path(name)
    if path.name == name and path.stem in {config.stem for config in list_configs()}:
        raise ConfigError(f'{name} is the name of a config, which has no weights: give a checkpoint that was trained with it, '
                          'a folder of save_pretrained or a name on the hub (mmduet export --random takes a config)')
    if _NAME.fullmatch(name) and not name.lower().endswith(_FILES) and not path.parent.is_dir():
        return
    near = nearest(path.name, (*_neighbours(path.parent), *(known if path.name == name else ())))
    hint = '' if '/' in name or near or path.suffix else '; on the hub a model is OWNER/MODEL'
    raise FileNotFoundError(f'there is no checkpoint or folder {name}{near}{hint}')


def fetch(name: str, options: HubOptions, file: str) -> Path:
    """A file of a model on the hub, from there or from the cache; a ``FileNotFoundError`` says why not."""
    try:
        return Path(hf_hub_download(name, file, **options))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = f'{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}'
        raise FileNotFoundError(f'there is no folder or checkpoint {name}, and {file} of a model of this name cannot be '
                                f'fetched from the Hugging Face hub ({reason})'
                                f'{nearest(name.partition("/")[0], _neighbours(Path()))}') from error


def _neighbours(folder: Path) -> list[str]:
    """Names in a folder; none where it cannot be listed."""
    try:
        return [file.name for file in folder.iterdir()]
    except (OSError, ValueError):
        return []
