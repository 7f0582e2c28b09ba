"""A config cannot lie: a key that nobody reads is an error, found by reading source files before anything heavy is imported."""
from collections.abc import Sequence

from mmengine.config import Config

from mmduet.engine.config_check.files import config_files, line_of
from mmduet.engine.config_check.metric_names import check_metric_names
from mmduet.engine.config_check.problems import Problem, UnreadKeyError, refuse
from mmduet.engine.config_check.tree import check_tree
from mmduet.engine.config_check.variables import check_variables
from mmduet.engine.config_tools import merge_options, parse_options

__all__ = ['Problem', 'UnreadKeyError', 'apply_checked_options', 'check_config']


def check_config(cfg: Config, changed: Sequence[str] = ()) -> None:
    """Raise an ``UnreadKeyError`` for all keys of a config that nobody reads, at every level, with the nearest names.

    Dictionaries with a ``type`` are checked against the signature of that class, as its source file has it; those that the
    class unpacks into others, against theirs; those of the runner, against what MMEngine's runner and ours read. A class whose
    source says less is checked when it is built. A name at the top that is no key of the runner must be read by the code of
    the config.

    Args:
        cfg: as ``load_config`` reads it; nothing that it names is imported.
        changed: keys that ``--cfg-options`` changed.

    >>> from mmduet.engine.config_check import UnreadKeyError, check_config
    >>> from mmduet.engine.config_tools import load_config
    >>> cfg = load_config('configs/transvg/transvg_refcoco.py')
    >>> cfg.model.fusion.num_layer = 3
    >>> try:
    ...     check_config(cfg)
    ... except UnreadKeyError as error:
    ...     print(error)
    model.fusion.num_layer: TransformerEncoder does not take 'num_layer'; nearest: num_layers
    """
    config, files = cfg._to_lazy_dict(), config_files(cfg.filename)
    problems = [*check_variables(config, files, changed), *check_tree(config), *check_metric_names(config)]
    refuse((problem, '' if _was_changed(problem.key, changed) else line_of(files, problem.key)) for problem in problems)


def apply_checked_options(cfg: Config, options: Sequence[str]) -> None:
    """Merge ``--cfg-options`` into a config and check the whole, so that all that is wrong is said at once."""
    merge_options(cfg, options)
    check_config(cfg, list(parse_options(options)))


def _was_changed(key: str, changed: Sequence[str]) -> bool:
    return any(key == each or key.startswith(f'{each}.') or each.startswith(f'{key}.') for each in changed)
