"""All crafted files together, and what trying one means."""
import os
import re
import shutil
import warnings
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path

from tests.hostile.case import MARK, Case, Harmless, sentence_of
from tests.hostile.watching import watched

KINDS = ('pytorch_files', 'safetensors_files', 'images', 'annotations', 'sources', 'formats', 'models', 'exported', 'settings',
         'folders')
BY_KIND: dict[str, list[Case]] = {kind: import_module(f'tests.hostile.{kind}').CASES for kind in KINDS}
CASES = [case for cases in BY_KIND.values() for case in cases]
_LONGEST = 1500


def try_case(case: Case, folder: Path) -> list[str]:
    """Bring a file, made anew in a folder of its own, to each of its doors; what goes wrong, a phrase each."""
    problems = []
    for number, (name, door) in enumerate(case.doors.items()):
        place = folder / f'case{number}'
        place.mkdir()
        before = Path.cwd()
        os.chdir(place)
        try:
            argument = case.make(place)
            with watched(place) as seen, warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                warnings.simplefilter('ignore')
                found = _bring(door, argument, case.expected)
            problems += [f'{name}: {problem}' for problem in [*found, *seen]]
            if any(path.is_dir() for path in place.rglob(f'{MARK}*')):
                problems.append(f'{name}: it was run')
        finally:
            os.chdir(before)
            shutil.rmtree(place, ignore_errors=True)
    return problems


def _bring(door: object, argument: object, expected: str | Harmless) -> list[str]:
    try:
        value = door(argument)
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None:
            return [f'a traceback: {type(error).__name__}: {error}']
        if isinstance(expected, Harmless):
            return [f'refused: {sentence}']
        if not re.search(expected, sentence, re.DOTALL) or 'Traceback' in sentence or len(sentence) > _LONGEST:
            return [f'says {sentence!r:.400}, not {expected!r}']
        return []
    if not isinstance(expected, Harmless):
        return [f'accepted: {value!r:.200}']
    return [] if value == expected.value else [f'gave {value!r:.200}, not {expected.value!r:.200}']
