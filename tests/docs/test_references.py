"""What the pages tell a reader to type, open and import is there: tools, their flags, configs, records, links, names."""
import importlib
import re
from pathlib import Path

import pytest

from tests.shared_data import ROOT

FOLDERS = ('docs', 'mmduet', 'projects')
PAGES = sorted(path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob('*.md'))
PAGES += [Path(name) for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md')]
TOOL = re.compile(r'(?<![\w/])((?:tools|projects)/[\w/]+\.(?:py|sh))((?:[ \t]+[^\s|&;>]+)*)')


def read(page):
    """The text of a page, with the lines of a command joined."""
    return (ROOT / page).read_text().replace('\\\n', ' ')


def code(page):
    """Spans and lines of code on a page."""
    text = read(page)
    blocks = re.findall(r'^```\w*\n(.*?)^```', text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r'^```.*?^```', '', text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r'^    .*$', text, flags=re.MULTILINE)
    # A span may go on in the next line of a paragraph.
    return [line for block in blocks for line in block.split('\n')] + indented + \
        [span.replace('\n', ' ') for span in re.findall(r'`([^`]+)`', text)]


def sources(tool):
    """The code that reads a tool's arguments: its own, what the tools share, and for a shell script the tools that it runs."""
    own = (ROOT / tool).read_text()
    if tool.endswith('.sh'):
        return own + ''.join(sources(other) for other in set(re.findall(r'tools/[\w/]+\.py', own)))
    command = re.search(r'from mmduet\.cli\.(\w+) import main', own)
    own += (ROOT / f'mmduet/cli/{command.group(1)}.py').read_text() if command else ''
    return own + (ROOT / 'mmduet/cli/common.py').read_text()


def anchors(page):
    """The anchors of the headings of a page, as GitHub makes them."""
    text = re.sub(r'^```.*?^```', '', read(page), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r'^#+ (.*)$', text, flags=re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('page', PAGES, ids=str)
def test_every_command_names_a_tool_and_flags_that_it_has(page):
    for line in code(page):
        for tool, arguments in TOOL.findall(line):
            assert (ROOT / tool).is_file(), f'{page}: {tool}'
            for flag in re.findall(r'(?<!\S)--[\w-]+', arguments):
                assert f"'{flag}'" in sources(tool) or f' {flag} ' in sources(tool), f'{page}: {tool} {flag}'


@pytest.mark.parametrize('page', PAGES, ids=str)
def test_every_config_record_and_link_exists(page):
    text = read(page)
    for name in re.findall(r'(?<![\w/.])(?:configs|tests|projects/ablation)/[\w/.+]*\w', ' '.join(code(page))):
        if not re.search(r'[A-Z]{4}', name):  # a place holder, as configs/STUDENT/STUDENT_DATA.py
            assert any((place / name).exists() for place in (ROOT, ROOT / 'mmduet', (ROOT / page).parent)), f'{page}: {name}'
    for target in re.findall(r'\]\(([^)\s]+)\)', text):
        if target.startswith(('http://', 'https://')):
            continue
        file, _, anchor = target.partition('#')
        place = (ROOT / page).parent / file if file else ROOT / page
        assert place.exists(), f'{page}: {target}'
        if anchor:
            assert anchor in anchors(place.resolve().relative_to(ROOT.resolve())), f'{page}: {target}'


@pytest.mark.parametrize('page', PAGES, ids=str)
def test_every_import_can_be_made(page):
    for module, names in re.findall(r'^from (mmduet[\w.]*) import ([\w, ]+)$', read(page), flags=re.MULTILINE):
        for name in names.split(', '):
            assert hasattr(importlib.import_module(module), name.strip()), f'{page}: {module}.{name}'


def test_a_page_with_mistakes_fails(tmp_path, monkeypatch):
    monkeypatch.setattr('tests.docs.test_references.ROOT', tmp_path)
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'mmduet/cli').mkdir(parents=True)
    (tmp_path / 'mmduet/cli/common.py').touch()
    (tmp_path / 'tools/run.py').write_text("parser.add_argument('--good')")
    for text, check in ((' `tools/gone.py`', test_every_command_names_a_tool_and_flags_that_it_has),
                        ('    python tools/run.py --good --bad', test_every_command_names_a_tool_and_flags_that_it_has),
                        ('[page](gone.md)', test_every_config_record_and_link_exists),
                        ('# Here\n[there](#nowhere)', test_every_config_record_and_link_exists),
                        ('see `configs/gone.py`', test_every_config_record_and_link_exists),
                        ('```python\nfrom mmduet.models import Nothing\n```', test_every_import_can_be_made)):
        (tmp_path / 'page.md').write_text(text)
        with pytest.raises(AssertionError, match='page'):
            check(Path('page.md'))
