"""What a plain training leaves unimported and undone: counted in a process of its own, as others have imported everything."""
import json
import subprocess
import sys

import pytest

from tests.shared_data import ROOT
from tests.tiny_grounder import make_data_root

# Libraries that a plain training does not need, and what only some machines or users do.
UNUSED = ('open_clip', 'timm', 'gradio', 'onnx', 'onnxruntime', 'torch.distributed.optim', 'mmduet.models.teachers',
          'mmduet.teacher_cache', 'mmduet.demo', 'mmduet.evaluation.report.page')
TRAIN = """
import json, sys
import yapf.yapflib.yapf_api as formatter

def refuse(*_, **__):
    raise AssertionError('yapf formats a config')

formatter.FormatCode = refuse
from mmduet.cli.main import main
code = main(sys.argv[2:])
print(json.dumps([code, [name for name in json.loads(sys.argv[1]) if name in sys.modules]]))
import torch.distributed.optim
assert torch.distributed.optim.ZeroRedundancyOptimizer.__name__ == 'ZeroRedundancyOptimizer'
"""


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('startup')
    root = make_data_root(folder / 'data')
    run = subprocess.run([sys.executable, '-c', TRAIN, json.dumps(UNUSED), 'train', str(ROOT / 'tests/tiny_config.py'),
                          '--data-root', str(root), '--work-dir', str(folder / 'work'), '--max-iters', '1'],
                         capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    return folder / 'work', json.loads(run.stdout.splitlines()[-1])


def test_a_plain_training_imports_no_teacher_and_formats_no_config(trained):
    assert trained[1] == [0, []]


def test_the_config_that_is_written_reloads_to_what_is_in_the_checkpoint(trained):
    from mmengine.config import Config

    from mmduet.apis.plain_config import parse_config_text
    from mmduet.engine.checkpoint import read_checkpoint
    written = trained[0] / 'tiny_config.py'
    text = read_checkpoint(trained[0] / 'iter_1.pth')['meta']['cfg']
    assert written.read_text() == text
    assert max(map(len, text.splitlines())) < 160
    assert Config.fromfile(written).to_dict() == Config.fromstring(text, '.py').to_dict()
    assert parse_config_text(text, 'iter_1.pth')['train_cfg']['max_iters'] == 1
