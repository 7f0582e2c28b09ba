import subprocess
import sys

from tests.shared_data import ROOT

WITHOUT_HOST = """
import sys
from importlib import metadata
def missing(name):
    raise metadata.PackageNotFoundError(name)
metadata.distribution = missing
sys.path.insert(0, 'tools')
import _common
_common.run(lambda: print('ran'))
"""


def test_a_tool_without_a_host_ends_in_one_sentence():
    run = subprocess.run([sys.executable, '-c', WITHOUT_HOST], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert run.stderr.startswith('error: mmduet needs MMEngine, MMCV and MMDetection: run `pip install "mmduet[onedl]"`')
    assert 'Traceback' not in run.stderr and 'ran' not in run.stdout
