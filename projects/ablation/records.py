"""Records of runs: JSON lines that many processes may append to, and the checks that runs may be compared.

A record keeps the name of its experiment in the key ``arm``, and whether the images of val and test were excluded from
pre-training in ``pretrain_kept_out``: the keys of the files that are there.
"""
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from mmduet.io.errors import DataError

Record = dict[str, Any]
REQUIRED = ('arm', 'seed', 'config_hash', 'data_hash', 'budget', 'student_hash', 'order')


class RunError(DataError):
    """Records that cannot be read, or that may not be compared; the message says which and why."""


def append_record(path: Path, record: Mapping[str, Any]) -> None:
    """Add one line, whole or not at all, beside other processes that do the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record, allow_nan=False, separators=(',', ':')) + '\n'
    with FileLock(path.with_name(f'.{path.name}.lock')), path.open('ab+') as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            line = line if file.read(1) == b'\n' else '\n' + line  # a truncated line stays alone
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def read_records(path: Path) -> tuple[list[Record], list[str]]:
    """All records of a file, and sentences about lines that were left out because they are truncated.

    Raises:
        RunError: a line is JSON, but no record of a run; names file, line and field.
    """
    records, notes = [], []
    text = path.read_text(encoding='utf-8') if path.exists() else ''
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            notes.append(f'{path}:{number}: the line is truncated and left out')
            continue
        missing = [name for name in REQUIRED if not isinstance(record, dict) or name not in record]
        if missing:
            raise RunError(f'{path}:{number}: no record of a run, it has no {", ".join(missing)}')
        records.append(record)
    return records, notes


def run_name(record: Mapping[str, Any]) -> str:
    """Experiment and seed of a record, for messages."""
    return f'{record["arm"]} seed {record["seed"]}'


def record_key(record: Mapping[str, Any]) -> tuple[str, int | None, int]:
    """Experiment, number of training expressions where it is not the config's, and seed."""
    return record['arm'], record.get('train_size'), record['seed']


def latest(records: Iterable[Record]) -> list[Record]:
    """The last record of every experiment, number of expressions and seed, in the order of their first appearance."""
    last: dict[tuple[str, int | None, int], Record] = {}
    for record in records:
        last[record_key(record)] = record
    return list(last.values())


def check_comparable(records: Sequence[Record]) -> None:
    """See that the runs of a table may be paired by seed.

    All have the same data and the same budget; the runs of a seed start from the same student and see the same expressions
    in the same order, where they take as many of an image together; the runs of an experiment have the same config.

    Raises:
        RunError: some do not; names two of them.
    """
    for field, what in (('data_hash', 'other data'), ('budget', 'another budget of steps')):
        _require_equal(records, field, what, lambda record: None)
    _require_equal(records, 'student_hash', 'other initial weights of the student', lambda record: record['seed'])
    _require_equal(records, 'config_hash', 'another config', lambda record: record['arm'])
    first: dict[tuple[int, int], Record] = {}
    for record in records:
        reference = first.setdefault((record['seed'], record.get('expressions_per_image', 1)), record)
        seen = min(len(record['order']), len(reference['order']))
        if record['order'][:seen] != reference['order'][:seen]:
            raise RunError(f'{run_name(record)} saw other expressions, or in another order, than {run_name(reference)}: '
                           'they cannot be paired')


def _require_equal(records: Sequence[Record], field: str, what: str, group: Any) -> None:
    first: dict[Any, Record] = {}
    for record in records:
        reference = first.setdefault(group(record), record)
        if record[field] != reference[field]:
            raise RunError(f'{run_name(record)} has {what} than {run_name(reference)} ({record[field]} and '
                           f'{reference[field]}): they cannot be compared')
