"""The files that a forge, a builder of images and a builder of pages read are whole and fit each other."""
import re
import shutil
import subprocess

import pytest
import yaml

from tests.shared_data import ROOT

FORMS = sorted((ROOT / '.github/ISSUE_TEMPLATE').glob('*.yml'))


def read(name):
    return (ROOT / name).read_text(encoding='utf-8')


def test_the_form_for_errors_asks_for_the_doctor_and_must_be_filled_in():
    form = yaml.safe_load(read('.github/ISSUE_TEMPLATE/bug.yml'))
    field, = (part for part in form['body'] if part.get('id') == 'doctor')
    assert 'mmduet doctor' in field['attributes']['description'] and field['validations']['required'] is True


@pytest.mark.parametrize('form', [path for path in FORMS if path.stem != 'config'], ids=lambda path: path.stem)
def test_a_form_has_what_the_forge_requires_and_names_files_that_exist(form):
    content = yaml.safe_load(form.read_text())
    assert {'name', 'description', 'body'} <= content.keys()
    names = [part['id'] for part in content['body']]
    assert len(names) == len(set(names))
    for path in re.findall(r'\b(?:docs/[\w./]+\w|[A-Z]+\.md)', form.read_text()):
        assert (ROOT / path).exists(), path


def test_the_workflow_runs_what_everybody_runs_on_both_hosts_and_builds_the_site():
    jobs = yaml.safe_load(read('.github/workflows/test.yml'))['jobs']
    steps = [step.get('run', '') for job in jobs.values() for step in job['steps']]
    assert 'bash .ci/run' in steps and 'mkdocs build --strict' in steps
    assert {row['host'] for row in jobs['test']['strategy']['matrix']['include']} == {'onedl', 'openmmlab'}


def test_the_site_is_built_elsewhere_by_the_same_file():
    assert yaml.safe_load(read('.readthedocs.yaml'))['mkdocs'] == {'configuration': 'mkdocs.yml', 'fail_on_warning': True}


def test_the_linters_check_for_the_oldest_python_that_is_promised():
    """The types also refuse what the standard library of a later one has."""
    tomllib = pytest.importorskip('tomllib', reason='Python 3.10 has none')
    settings = tomllib.loads(read('pyproject.toml'))
    oldest = settings['project']['requires-python'].removeprefix('>=')
    assert settings['tool']['mypy']['python_version'] == oldest
    assert settings['tool']['ruff']['target-version'] == f'py{oldest.replace(".", "")}'
    assert f'Programming Language :: Python :: {oldest}' in settings['project']['classifiers']


def test_the_image_installs_extras_that_there_are_and_versions_that_were_tested():
    tomllib = pytest.importorskip('tomllib', reason='Python 3.10 has none')
    dockerfile, tested = read('Dockerfile'), read('requirements/tested.txt')
    extras = re.search(r'"\.\[([\w,]+)\]"', dockerfile)[1].split(',')
    known = tomllib.loads(read('pyproject.toml'))['project']['optional-dependencies']
    assert set(extras) <= known.keys() and 'onedl' in extras
    for name in re.findall(r"'\^(\w+)=='", dockerfile):
        assert re.search(rf'^{name}==', tested, flags=re.MULTILINE), name
    assert re.findall(r'^ARG TORCH=(\w+)$', dockerfile, flags=re.MULTILINE) == ['cpu']


@pytest.mark.parametrize(('torch', 'code'), [('cpu', 0), ('cuda', 0), ('rocm', 1)])
def test_the_argument_of_the_image_is_cpu_or_cuda(torch, code, tmp_path):
    step = re.search(r'^RUN (case .*?)\n\n', read('Dockerfile').replace('\\\n', ' '), flags=re.MULTILINE | re.DOTALL)[1]
    pip = tmp_path / 'pip'
    pip.write_text('#!/bin/sh\necho "$@"\n')
    pip.chmod(0o755)
    run = subprocess.run([shutil.which('bash'), '-euo', 'pipefail', '-c', step], cwd=ROOT, capture_output=True, text=True,
                         env={'PATH': f'{tmp_path}:/usr/bin:/bin', 'TORCH': torch})
    assert run.returncode == code
    if code == 0:
        assert run.stdout.startswith('install') and ' torch==' in run.stdout and ' torchvision==' in run.stdout
        assert ('--index-url' in run.stdout) == (torch == 'cpu')
    else:
        assert 'TORCH must be cpu or cuda, got rocm' in run.stderr


def test_the_readme_fits_on_a_few_screens():
    assert len(read('README.md').splitlines()) < 200
