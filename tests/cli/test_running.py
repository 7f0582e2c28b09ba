import io
import subprocess
import sys

import pytest

from mmduet.cli import running
from mmduet.engine.config_tools import ConfigError
from mmduet.io.errors import AnnotationError
from tests.shared_data import ROOT

WITHOUT_HOST = """
import sys
from importlib import metadata
metadata.distributions = lambda **_: []
sys.path.insert(0, '.')
from mmduet.cli import running

def job():
    import mmduet.registry
    print('ran')

running.run(job)
"""


def test_a_command_without_a_host_ends_in_one_sentence():
    run = subprocess.run([sys.executable, '-c', WITHOUT_HOST], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.startswith('error: mmduet needs MMEngine, MMCV and MMDetection: run `pip install "mmduet[onedl]"`')
    assert 'Traceback' not in run.stderr and 'ran' not in run.stdout


@pytest.mark.parametrize('error', [ConfigError('no such thing'), AnnotationError('no such thing'),
                                   FileNotFoundError('no such thing')])
def test_a_users_mistake_is_a_sentence_unless_the_traceback_is_wanted(error, monkeypatch):
    def job():
        raise error

    with pytest.raises(SystemExit, match=r'^error: no such thing$'):
        running.run(job)
    monkeypatch.setenv('MMDUET_TRACEBACK', '1')
    with pytest.raises(type(error), match=r'^no such thing$'):
        running.run(job)


def test_a_mistake_of_ours_is_not_hidden():
    with pytest.raises(ValueError, match=r'^ours$'):
        running.run(lambda: (_ for _ in ()).throw(ValueError('ours')))
    assert running.run(lambda: 3) == 3


def test_what_an_encoding_lacks_is_spelt_out(monkeypatch):
    streams = {name: io.TextIOWrapper(io.BytesIO(), 'cp1252', write_through=True) for name in ('stdout', 'stderr')}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    running.print_anything()
    print('caf\xe9 \u0444')
    print('\u0444', file=sys.stderr)
    assert streams['stdout'].buffer.getvalue().split() == [b'caf\xe9', b'\\u0444']
    assert streams['stderr'].buffer.getvalue().split() == [b'\\u0444']
