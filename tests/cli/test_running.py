import argparse
import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

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


def test_what_a_command_reads_is_not_what_it_writes(tmp_path, capsys):
    def add_arguments(parser):
        parser.add_argument('source', type=Path)
        parser.add_argument('out', type=Path)
        parser.set_defaults(reads=lambda args: [None, args.source], writes=lambda args: [None, args.out])

    def run(args):
        args.out.write_text('new')
        return 0

    parser = argparse.ArgumentParser()
    running.fill_parser(parser, SimpleNamespace(__doc__='', add_arguments=add_arguments, run=run))
    (tmp_path / 'a').write_text('old')
    assert running.execute(parser.parse_args([str(tmp_path / 'a'), str(tmp_path / 'a')])) == 1
    assert capsys.readouterr().err == (f'error: {tmp_path}/a is read here, and what is written would take its place: '
                                       'name another file\n')
    assert (tmp_path / 'a').read_text() == 'old'
    assert running.execute(parser.parse_args([str(tmp_path / 'a'), str(tmp_path / 'b')])) == 0
