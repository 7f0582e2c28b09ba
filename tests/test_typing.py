"""What a type checker tells a user of the package: types of the public names, and no name that is not there."""
import os
import re
import subprocess
import sys

from tests.shared_data import ROOT

PROGRAM = """
import mmduet
from mmduet import GroundingInferencer, PretrainedGrounder
from mmduet.apis import Explanation, GroundingResults, explain
from mmduet.engine import CheckpointError, GroundingRunner
from mmduet.export import OnnxGrounder

ground = GroundingInferencer('someone/model', revision='v1', token=True, cache_dir='here', local_files_only=True)
results = ground('image.png', ['the red ball'])
reveal_type(ground)
reveal_type(results)
reveal_type(results[0].box)
reveal_type(results[0].score)
results.save('answers.json')
reveal_type(ground('image.png', 'the red ball', return_datasamples=True))
reveal_type(PretrainedGrounder.from_pretrained('toy', force_download=True))
reveal_type(OnnxGrounder('model.onnx')('image.png', 'the red ball'))
reveal_type(explain(ground, 'image.png', 'the red ball'))
reveal_type(CheckpointError('torn'))
reveal_type(GroundingRunner.get_hooks_info)
reveal_type(GroundingInferencer.from_pretrained('toy', device='cpu', precision='auto', cuda_graphs=True, token=True))
GroundingInferencer('toy', precision='float8')
GroundingInferencer.from_pretrained('toy', precision='float8')
GroundingInferencer.from_pretrained('toy', revison='v1')
GroundingInferencer('toy', revison='v1')
mmduet.GroundingInferenser
mmduet.engine.GroundingRuner
"""
# PyTorch and the host say nothing about our names, and take most of the time.
SETTINGS = """
[mypy]
strict = true
ignore_missing_imports = true
follow_imports = silent
[mypy-torch.*,torchvision.*,mmengine.*,mmdet.*,mmcv.*,transformers.*,open_clip.*,cv2.*,timm.*,sympy.*,scipy.*,matplotlib.*,gradio.*]
follow_imports = skip
"""
BOX = 'tuple[float, float, float, float]'
EXPLAINED = 'list[mmduet.apis.attention.Explanation]'
RESULTS = 'mmduet.apis.results.GroundingResults'


def test_a_program_of_a_user_is_checked(tmp_path):
    (tmp_path / 'program.py').write_text(PROGRAM)
    (tmp_path / 'mypy.ini').write_text(SETTINGS)
    done = subprocess.run([sys.executable, '-m', 'mypy', 'program.py'], cwd=tmp_path,
                          env={**os.environ, 'MYPYPATH': str(ROOT)}, capture_output=True, text=True)
    said = re.findall(r'^program\.py:\d+: (?:note: Revealed type is "(.*)"|error: (.*))$', done.stdout, re.MULTILINE)
    types = [revealed for revealed, _ in said if revealed]
    errors = [error for _, error in said if error]
    assert types == ['mmduet.apis.inferencer.GroundingInferencer', RESULTS, BOX, 'float | None', 'list[Any]',
                     'mmduet.apis.pretrained.PretrainedGrounder', RESULTS, EXPLAINED,
                     'mmduet.engine.checkpoint.CheckpointError',
                     'def (self: mmduet.engine.runner.GroundingRunner) -> str',
                     'mmduet.apis.inferencer.GroundingInferencer'], done.stdout
    assert [error.partition('  [')[2] for error in errors] == ['arg-type]', 'arg-type]', 'call-arg]', 'call-arg]',
                                                                 'attr-defined]', 'attr-defined]'], done.stdout
    assert (ROOT / 'mmduet/py.typed').is_file()
