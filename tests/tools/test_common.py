import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from tests.load_tool import TOOLS, load_tool
from tests.shared_data import ROOT

_common = load_tool('_common')
TOOLS_OF_USERS = sorted(str(path.relative_to(TOOLS)) for path in TOOLS.rglob('[!_]*.py'))

WITHOUT_HOST = """
import sys
from importlib import metadata
metadata.distributions = lambda **_: []
sys.path.insert(0, 'tools')
import _common
_common.run(lambda: print('ran'))
"""


def test_a_tool_without_a_host_ends_in_one_sentence():
    run = subprocess.run([sys.executable, '-c', WITHOUT_HOST], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.startswith('error: mmduet needs MMEngine, MMCV and MMDetection: run `pip install "mmduet[onedl]"`')
    assert 'Traceback' not in run.stderr and 'ran' not in run.stdout


@pytest.mark.parametrize('name', TOOLS_OF_USERS)
def test_help_is_shown_at_once(name):
    run = subprocess.run([sys.executable, '-X', 'importtime', str(TOOLS / name), '--help'], capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout.startswith(f'usage: {Path(name).name}')
    # Importing any of these takes seconds, where Python itself starts in a tenth of one.
    imported = {line.rpartition('|')[2].strip() for line in run.stderr.splitlines()}
    assert 'argparse' in imported
    assert not imported & {'torch', 'mmengine', 'mmdet', 'transformers', 'scipy', 'matplotlib', 'cv2'}


def test_numbers_and_names_of_the_command_line_are_checked():
    assert _common.positive('3') == 3 and _common.names('plain,full') == ['plain', 'full']
    with pytest.raises(argparse.ArgumentTypeError, match='must be at least 1, got 0'):
        _common.positive('0')
    with pytest.raises(argparse.ArgumentTypeError, match="must be names joined by commas, got 'a,,b'"):
        _common.names('a,,b')


def test_patches_change_the_config_before_options_and_name_the_work_folder():
    parser = argparse.ArgumentParser()
    _common.add_data_flags(parser)
    cfg = _common.load(parser.parse_args(['configs/duet/qrnet_duet_refshapes.py', '--patch', 'semantic', 'no_relation',
                                          '--cfg-options', 'model.head.terms.text.weight=3']))
    assert {name for name, term in cfg.model.head.terms.items() if term} == {'text', 'region', 'image'}
    assert cfg.model.head.terms.text.weight == 3
    assert cfg.work_dir == 'work_dirs/qrnet_duet_refshapes-semantic-no_relation'
