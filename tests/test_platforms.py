"""What has no fcntl, no resource and no SIGHUP, as Windows, can import everything, and lock a folder."""
import os
import subprocess
import sys

from tests.shared_data import ROOT

CODE = """
import builtins, importlib, pkgutil, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import mmdet, mmengine, open_clip, torch, transformers  # theirs may need what ours must not

for name in [name for name in sys.modules if name.partition('.')[0] in ('filelock', 'mmduet')]:
    del sys.modules[name]
real = builtins.__import__

def without_unix(name, globals=None, locals=None, fromlist=(), level=0):
    importer = ((globals or {}).get('__name__') or '').partition('.')[0]
    if name in ('fcntl', 'resource', 'pwd', 'grp', 'termios') and importer in ('filelock', 'mmduet', 'projects'):
        raise ModuleNotFoundError(f'No module named {name!r}')
    return real(name, globals, locals, fromlist, level)

builtins.__import__ = without_unix
for name in ('SIGHUP', 'SIGUSR1', 'sigwaitinfo', 'pthread_sigmask'):
    if hasattr(signal, name):
        delattr(signal, name)
import mmduet
names = [info.name for info in pkgutil.walk_packages(mmduet.__path__, 'mmduet.') if info.name != 'mmduet.__main__']
names += ['projects.ablation.' + path.stem for path in (Path(sys.argv[1]) / 'projects/ablation').glob('*.py')
          if path.stem != '__init__']
for name in names:
    importlib.import_module(name)
from mmduet.cli.clock import peak_memory
from mmduet.engine.stop_signals import SIGNALS
from mmduet.io.locks import LockedError, locked
assert peak_memory() is None
assert {each.name for each in SIGNALS} == {'SIGTERM', 'SIGINT'}
folder = Path(sys.argv[2]) / 'work'
with locked(folder):
    try:
        with locked(folder):
            raise AssertionError('locked twice')
    except LockedError as error:
        assert 'is in use by process' in str(error)
with locked(folder):
    pass
from projects.ablation.records import append_record
for number in range(2):
    append_record(folder / 'records.jsonl', {'number': number})
assert (folder / 'records.jsonl').read_text().count('number') == 2
print(len(names), 'modules')
"""


def test_every_module_imports_and_locks_without_what_unix_alone_has(tmp_path):
    run = subprocess.run([sys.executable, '-W', 'ignore', '-c', CODE, str(ROOT), str(tmp_path)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    assert int(run.stdout.split()[-2]) > 150


def test_a_file_name_that_a_console_lacks_is_spelt_out(tmp_path):
    command = [sys.executable, str(ROOT / 'tools/prepare_dataset.py'), 'own', '--source', '\u0444\u043e\u0442\u043e.jsonl']
    run = subprocess.run([*command, '--out', str(tmp_path)], capture_output=True,
                         env={**os.environ, 'PYTHONIOENCODING': 'cp1252'})
    assert run.returncode == 1
    assert run.stderr.startswith(b'error: ') and b'\\u0444\\u043e\\u0442\\u043e.jsonl' in run.stderr
