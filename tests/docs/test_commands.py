"""Every ``mmduet`` command on a page is one that the real parser takes, about a config that there is."""
import re
import shlex
from pathlib import Path

import pytest

from mmduet.cli.main import COMMANDS, build_parser
from mmduet.cli.running import check_arguments
from mmduet.io.config_files import find_config
from tests.docs.pages import commands, files
from tests.docs.test_references import PAGES, ROOT, code

PLACE_HOLDER = re.compile(r'[A-Z_]{4,}|…')


def typed(page):
    """The words of the commands of a page: all that a ``bash`` block has, and what begins like one anywhere else in code."""
    strict = commands(ROOT / page)
    for line in code(page):
        if not line.strip().startswith('mmduet '):
            continue
        words = line.strip().split()
        if words[1] in COMMANDS and shlex.split(line, comments=True) not in strict:
            strict.append(shlex.split(line, comments=True))
    return strict


def parse(words):
    """What the parser makes of the words after ``mmduet``; an ``AssertionError`` says what it refuses."""
    try:
        return check_arguments(build_parser(words[0]).parse_args(words))
    except SystemExit as ended:
        raise AssertionError(f'mmduet {shlex.join(words)} is refused') from ended


@pytest.mark.parametrize('page', PAGES, ids=str)
def test_every_command_is_taken_by_the_parser(page):
    for _, *words in typed(page):
        if words[0].startswith('--'):
            continue
        assert words[0] in COMMANDS, f'{page}: mmduet {words[0]}'
        if len(words) == 1 or words[1:] == ['--help']:
            continue  # the name of a command, in a sentence
        args = parse(words)
        config = getattr(args, 'config', None)
        if config and not PLACE_HOLDER.search(config) and config not in files(ROOT / page):
            assert find_config(config).is_file(), f'{page}: {config}'


def test_every_command_is_named_in_readme():
    said = (ROOT / 'README.md').read_text()
    common = ('train', 'test', 'predict', 'prepare', 'check', 'report', 'browse', 'benchmark', 'export', 'demo', 'doctor',
              'cache-teacher', 'convert')
    assert [name for name in common if name not in COMMANDS] == []
    assert [name for name in common if f'`{name}`' not in said and f'mmduet {name}' not in said] == []


@pytest.mark.parametrize('line', ['mmduet trian transvg_refcoco', 'mmduet train transvg_refcoco --epochs 3', 'mmduet test',
                                  'mmduet train transvg_refcoc', 'mmduet benchmark'])
def test_a_page_with_a_mistake_fails(line, tmp_path, monkeypatch):
    monkeypatch.setattr('tests.docs.test_references.ROOT', tmp_path)
    monkeypatch.setattr('tests.docs.test_commands.ROOT', tmp_path)
    (tmp_path / 'page.md').write_text(f'```bash\n{line} --seed 1\n```\n')
    with pytest.raises((AssertionError, FileNotFoundError)):
        test_every_command_is_taken_by_the_parser(Path('page.md'))
