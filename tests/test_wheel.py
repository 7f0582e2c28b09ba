"""The package as it is installed: a wheel in an environment of its own, used from a folder that knows no checkout."""
import json
import os
import shutil
import site
import subprocess
import sys
import venv
import zipfile

import pytest

from mmduet import __version__
from tests.shared_data import ROOT
from tests.tiny_grounder import make_data_root

CONFIG = '''
"""A config in a folder of a user's own."""
from mmengine.config import read_base

with read_base():
    from mmduet.configs.transvg.transvg_refshapes import *

train_dataloader.update(batch_size=4, num_workers=0, persistent_workers=False)
train_dataloader['dataset'].update(first=None)
val_dataloader = val_cfg = val_evaluator = None
'''
USE = """
import sys
from pathlib import Path
from mmduet.cli.main import main
import mmduet
assert Path(mmduet.__file__).is_relative_to(sys.prefix), mmduet.__file__
assert main(['train', 'mine.py', '--data-root', 'root', '--work-dir', 'work', '--max-iters', '2']) == 0
checkpoint = Path('work/last_checkpoint').read_text()
words = ['predict', 'root/images/val_0.png', 'red thing', '--model', checkpoint, '--device', 'cpu', '--json', 'a.json']
assert main(words) == 0
assert main(['export', checkpoint, '--out', 'student.onnx', '--check', '4']) == 0
assert main([*words[:4], 'student.onnx', '--json', 'b.json']) == 0
assert main(['predict', 'example', 'the leftmost ring', '--json', 'toy.json']) == 0
from mmduet.io.config_files import find_config
assert find_config('configs/duet/vltvg_duet_refcoco.py').is_relative_to(sys.prefix)
"""


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    source, out = tmp_path_factory.mktemp('source') / 'mmduet', tmp_path_factory.mktemp('wheel')
    shutil.copytree(ROOT / 'mmduet', source / 'mmduet', ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('pyproject.toml', 'setup.py', 'README.md', 'LICENSE', 'NOTICE'):
        shutil.copy(ROOT / name, source)
    run = subprocess.run([sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation', '--no-index', '-w', out,
                          source], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    file, = out.glob('*.whl')
    return file


@pytest.fixture(scope='module')
def python(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp('environment') / 'venv'
    venv.create(folder, symlinks=os.name == 'posix')
    python = folder / ('Scripts/python.exe' if os.name == 'nt' else 'bin/python')
    run = subprocess.run([sys.executable, '-m', 'pip', '--python', python, 'install', '--no-deps', '--no-index', wheel],
                         capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    # What mmduet needs is that of this environment, whose own mmduet a .pth file does not bring along.
    packages = next(folder.rglob('site-packages'))
    (packages / 'needed.pth').write_text('\n'.join(site.getsitepackages()) + '\n')
    return python


def test_the_wheel_holds_the_package_whole_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(f'mmduet-{__version__}.dist-info/METADATA').decode()
        entry = archive.read(f'mmduet-{__version__}.dist-info/entry_points.txt').decode()
    own = {path.relative_to(ROOT).as_posix() for path in (ROOT / 'mmduet').rglob('*')
           if path.is_file() and '__pycache__' not in path.parts}
    assert {name for name in names if not name.startswith('mmduet-')} == own
    assert {'mmduet/configs/duet/transvg_duet_refcoco.py', 'mmduet/configs/_base_/default_runtime.py',
            'mmduet/configs/transvg/metafile.yml', 'mmduet/configs/duet/README.md', 'mmduet/py.typed',
            'mmduet/apis/templates/model_card.md', 'mmduet/evaluation/report/templates/style.css'} <= names
    assert entry.split() == ['[console_scripts]', 'mmduet', '=', 'mmduet.cli.main:main']
    assert f'Version: {__version__}\n' in metadata and 'License-File: NOTICE\n' in metadata
    extras = {line.removeprefix('Provides-Extra: ') for line in metadata.splitlines() if line.startswith('Provides-Extra: ')}
    assert {'onedl', 'openmmlab', 'export', 'demo', 'hub', 'docs', 'dev'} == extras
    assert 'Requires-Dist: opencv-python-headless\n' in metadata and 'Requires-Dist: opencv-python\n' not in metadata


def test_the_installed_package_trains_and_predicts_from_any_folder(python, tmp_path):
    make_data_root(tmp_path / 'root', count=6)
    (tmp_path / 'mine.py').write_text(CONFIG)
    environ = {name: value for name, value in os.environ.items() if name not in ('PYTHONPATH', 'PYTHONHOME')}
    command = python.with_name('mmduet.exe' if os.name == 'nt' else 'mmduet')
    said = subprocess.run([command, '--version'], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert said.stdout == f'mmduet {__version__}\n', said.stderr
    run = subprocess.run([python, '-c', USE], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-3000:]
    answers = [json.loads((tmp_path / name).read_text()) for name in ('a.json', 'b.json', 'toy.json')]
    assert [len(answer) for answer in answers] == [1, 1, 1]
    assert answers[0][0]['box'] == pytest.approx(answers[1][0]['box'], abs=1e-2)
    assert 'loss_bbox: ' in run.stdout + run.stderr or list((tmp_path / 'work').rglob('*.log'))
