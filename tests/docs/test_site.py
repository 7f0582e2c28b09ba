"""The site builds without a warning, shows every page and every public name, and loads nothing from elsewhere."""
import html
import importlib
import re
from urllib.parse import unquote

import pytest

from mmduet.cli.main import COMMANDS, build_parser
from tests.docs.pages import DOCS
from tests.forking import Call, run_calls
from tests.shared_data import ROOT

REFERENCE = {
    'apis': ('mmduet.apis', ), 'structures': ('mmduet.structures', ), 'students': ('mmduet.models.students', ),
    'teachers': ('mmduet.models.teachers', ), 'distill': ('mmduet.models.distill', ),
    'task_modules': ('mmduet.models.task_modules', ), 'datasets': ('mmduet.datasets', 'mmduet.datasets.readers'),
    'evaluation': ('mmduet.evaluation', ), 'engine': ('mmduet.engine', )}


def build(target):
    """Build the site as ``mkdocs build --strict`` does."""
    from mkdocs.__main__ import cli
    cli(['build', '--strict', '--config-file', str(ROOT / 'mkdocs.yml'), '--site-dir', str(target)])


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    target = tmp_path_factory.mktemp('site')
    run, = run_calls([Call(build, (target, ), str(ROOT))])
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return target


def pages():
    found = [path.relative_to(DOCS).with_suffix('') for path in DOCS.rglob('*.md')]
    return sorted(page for page in found if page.parts[0] not in ('photos', 'site'))


def text(path):
    return path.read_text(encoding='utf-8')


def test_every_page_is_there_and_in_the_navigation(site):
    links = set(re.findall(r'href="([^"#]+)"[^>]*class="md-nav__link', text(site / 'index.html')))
    for page in pages():
        folder = str(page.parent if page.name == 'index' else page).removeprefix('.')
        assert (site / folder / 'index.html').is_file(), f'docs/{page}.md is not in the site'
        assert not folder or f'{folder}/' in links, f'docs/{page}.md is not in the navigation: name it in mkdocs.yml'


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob('*.html'):
        sources = re.findall(r'<(?:script|img|iframe|source)[^>]*\ssrc="([^"]+)"', text(page))
        sources += re.findall(r'<link[^>]*rel="(?:stylesheet|preload|preconnect)"[^>]*href="([^"]+)"', text(page))
        for source in sources:
            assert not source.startswith(('http:', 'https:', '//')), f'{page.relative_to(site)}: {source}'
            assert (page.parent / unquote(html.unescape(source).split('?')[0])).exists() or page.name == '404.html', source


@pytest.mark.parametrize('page', REFERENCE)
def test_the_reference_has_every_public_name_with_what_it_is(page, site):
    shown = text(site / 'api' / page / 'index.html')
    for module in REFERENCE[page]:
        for name in importlib.import_module(module).__all__:
            if name.isupper():
                continue  # a constant, which has no docstring
            assert re.search(rf'<h[234] id="mmduet[\w.]*\.{name}"', shown), f'{module}.{name}'


def test_the_page_of_the_commands_has_each_with_all_its_flags(site):
    shown = html.unescape(re.sub(r'<[^>]+>', '', text(site / 'commands/index.html')))
    parsers, = (action.choices for action in build_parser()._actions if hasattr(action, 'add_parser'))
    for name in COMMANDS:
        assert f'\nmmduet {name}' in shown
        flags = {flag for action in parsers[name]._actions for flag in action.option_strings} - {'-h', '--help'}
        assert not {flag for flag in flags if flag not in shown}, name


def test_a_page_that_nobody_named_appears_under_more_and_an_entry_without_a_page_is_left_out(tmp_path):
    hooks = importlib.util.spec_from_file_location('hooks', DOCS / 'site/hooks.py')
    module = importlib.util.module_from_spec(hooks)
    hooks.loader.exec_module(module)
    for name in ('index.md', 'new.md'):
        (tmp_path / name).write_text('# A page')
    config = {'docs_dir': str(tmp_path), 'nav': [{'Start': 'index.md'}, {'Use': [{'Gone': 'gone.md'}]}]}
    assert module.on_config(config)['nav'] == [{'Start': 'index.md'}, {'More': ['new.md']}]
