"""A config as the command line changes it: by patches, then by options, and checked as a whole."""
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from mmduet.engine import config_tools
from mmduet.engine.config_check import apply_checked_options
from mmduet.engine.type_check import naming_unknown_types


def read_changed(config: str | Path, patches: Sequence[str] = (), options: Sequence[str] = ()) -> Config:
    """Read a config and change it.

    Args:
        config: as for ``load_config``.
        patches: names or files, as for ``apply_patch``, in this order.
        options: ``KEY=VALUE``, after the patches.

    Raises:
        FileNotFoundError: there is no such config or patch; names the nearest.
        ConfigError: one that cannot be read, a change that does not fit it, or keys that nobody reads.
    """
    cfg = config_tools.load_config(config)
    with naming_unknown_types(cfg):
        for patch in patches:
            config_tools.apply_patch(cfg, patch)
        apply_checked_options(cfg, options)
        for _ in config_tools.walk(cfg._cfg_dict):
            pass  # the classes that a config imports are looked up when they are first seen, which takes seconds
    return cfg
