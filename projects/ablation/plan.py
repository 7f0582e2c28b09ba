"""The runs of a study, and which of them are recorded already."""
import ast
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmduet.engine.config_tools import PATCHES, ConfigError, find_patch
from mmduet.io.files import PACKAGE_PARENT
from projects.ablation.records import Record, latest, record_key
from projects.ablation.run import Run, identify, resolve

Key = tuple[str, int | None, int]
FULL = 'full'
OWN_PATCHES = Path(__file__).parent / 'patches'


@dataclass(frozen=True, slots=True)
class Plan:
    """The runs of a study.

    Attributes:
        runs: all, seed by seed, so that an interrupted study has whole seeds.
        done: record of each run that is there, by its key.
        stale: sentences about records of another config or other data.
    """

    runs: tuple[Run, ...]
    done: dict[Key, Record]
    stale: tuple[str, ...]

    @property
    def missing(self) -> list[Run]:
        """Runs without a record."""
        return [run for run in self.runs if key_of(run) not in self.done]


def key_of(run: Run) -> Key:
    """The key of a run in the records."""
    return run.experiment, run.train_size, run.seed


def find_experiments(names: Sequence[str] | None = None) -> dict[str, tuple[str, ...]]:
    """The patches of each experiment by its name: ``full`` is the config as it is, any other name or file a patch of it.

    Args:
        names: of patches, or their files, in the order asked for; None for ``full`` and all of ``configs/duet/ablation``.

    Raises:
        FileNotFoundError: a patch is not there; names the nearest.
    """
    wanted = names or [FULL, *(path.stem for path in sorted(PATCHES.glob('*.py')))]
    return {Path(name).stem: () if name == FULL else (str(_find(name)), ) for name in wanted}


def _find(name: str) -> Path:
    own = OWN_PATCHES / f'{name}.py'
    return own if own.is_file() else find_patch(name)


def expand_sweep(text: str) -> list[str]:
    """``'a.b=1,2'`` to ``['a.b=1', 'a.b=2']``; values may be lists in brackets.

    Raises:
        ConfigError: not a key with values.
    """
    key, separator, values = text.partition('=')
    try:
        parsed = [repr(value) for value in ast.literal_eval(f'({values},)')]
    except (ValueError, SyntaxError):
        parsed = values.split(',')
    if not separator or not key or not values or not all(parsed):
        raise ConfigError(f'--sweep takes KEY=VALUE,VALUE, got {text!r}')
    if len(set(parsed)) != len(parsed):
        raise ConfigError(f'--sweep {key} has a value twice: {values}')
    return [f'{key}={value}' for value in parsed]


def plan_runs(experiments: dict[str, tuple[str, ...]], seeds: Sequence[int], sizes: Sequence[int | None], sweeps: Sequence[str],
              base: Run) -> list[Run]:
    """One run per seed, number of expressions, experiment and value of a sweep.

    Args:
        experiments: patches by name.
        seeds, sizes: of the runs.
        sweeps: ``key=a,b`` each; where there is one, only experiments with one of its values are run.
        base: what all runs share, with the patches of the setting; its ``work_dir`` is the folder above those of the runs.
    """
    variants: list[tuple[str, ...]] = [(option, ) for sweep in sweeps for option in expand_sweep(sweep)] or [()]
    runs = []
    for seed in seeds:
        for size in sizes:
            for name, patches in experiments.items():
                for variant in variants:
                    experiment = f'{name}[{variant[0]}]' if variant else name
                    folder = re.sub(r'[^\w.=,+\-\[\]]', '_', experiment) + (f'@{size}' if size else '')
                    runs.append(replace(base, experiment=experiment, seed=seed, train_size=size,
                                        patches=(*base.patches, *patches), options=(*base.options, *variant),
                                        work_dir=str(Path(base.work_dir) / folder / f'seed_{seed}')))
    return runs


def make_plan(runs: Sequence[Run], records: Sequence[Record]) -> Plan:
    """Give each run the hashes of its config and data, and find its record among those that are there.

    Raises:
        ConfigError, DataError, FileNotFoundError: a config or its data cannot be used.
    """
    hashes: dict[tuple[str, int | None], dict[str, str]] = {}
    known = {record_key(record): record for record in latest(records)}
    identified, done, stale = [], {}, []
    for run in runs:
        variant = run.experiment, run.train_size
        if variant not in hashes:
            hashes[variant] = identify(resolve(run))
        now = hashes[variant]
        identified.append(replace(run, identity={**now, **run.identity}))
        record = known.get(key_of(run))
        if record is None:
            continue
        changed = [f'{name.partition("_")[0]} ({record[name]}, now {now[name]})' for name in now if record[name] != now[name]]
        if changed:
            stale.append(f'{run.experiment} seed {run.seed}: the record is stale, made with another {" and ".join(changed)}')
        else:
            done[key_of(run)] = record
    return Plan(tuple(identified), done, tuple(stale))


def describe_commit() -> str:
    """The commit of the checkout, with a plus where its code or configs were changed since; ``'unknown'`` without git."""
    try:
        commit = _git('rev-parse', '--short=10', 'HEAD')
        return commit + ('+' if _git('status', '--porcelain', '--', 'mmduet', 'projects') else '')
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'


def _git(*arguments: str) -> str:
    done = subprocess.run(['git', *arguments], cwd=PACKAGE_PARENT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
