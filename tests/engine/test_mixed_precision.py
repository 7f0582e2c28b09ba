import pytest
import torch

from mmduet.engine import MixedPrecisionTestLoop
from mmduet.engine.config_tools import ConfigError
from mmduet.engine.mixed_precision import mixed_dtype
from mmduet.registry import RUNNERS
from tests.tiny_grounder import load_tiny_config, make_data_root


@pytest.mark.parametrize(('asked', 'device', 'found'), [
    ('bf16', 'cpu', torch.bfloat16), ('bfloat16', 'cuda', torch.bfloat16), ('fp16', 'cuda', torch.float16),
    ('float16', 'cuda', torch.float16), ('float32', 'cpu', torch.float32)])
def test_a_precision_is_known_by_its_names(asked, device, found):
    assert mixed_dtype(asked, device, 'the test') == found


@pytest.mark.parametrize(('native', 'found'), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_is_what_the_cpu_multiplies(monkeypatch, native, found):
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: {'avx512_bf16': native}, raising=False)
    assert mixed_dtype('auto', 'cpu', 'the test') == found


def test_what_a_device_cannot_and_other_names_are_refused():
    with pytest.raises(ConfigError, match=r'^fp16 needs a CUDA device, and the test runs on cpu: use bf16$'):
        mixed_dtype('fp16', 'cpu', 'the test')
    with pytest.raises(ConfigError, match=r"^mixed precision knows 'auto', 'bf16' and 'fp16', got 'int8'$"):
        mixed_dtype('int8', 'cpu', 'the test')


@pytest.mark.parametrize(('options', 'computed'), [
    ({}, torch.bfloat16), ({'dtype': 'bf16'}, torch.bfloat16), ({'dtype': 'float32'}, torch.float32)])
def test_a_test_computes_in_the_precision_that_it_is_given_and_weights_stay_as_they_are(tmp_path, options, computed):
    root, seen = make_data_root(tmp_path / 'data', count=3, splits=('val', )), []
    runner = RUNNERS.build(load_tiny_config(tmp_path / 'work', root, test_cfg=dict(type='mmduet.MixedPrecisionTestLoop',
                                                                                   _delete_=True, **options)))
    runner.plain_model.box_head.register_forward_hook(lambda module, given, output: seen.append(output.dtype))
    metrics = runner.test()
    assert isinstance(runner.test_loop, MixedPrecisionTestLoop) and 'acc@0.5' in str(metrics)
    assert set(seen) == {computed}
    assert {value.dtype for value in runner.plain_model.parameters()} == {torch.float32}
    assert not torch.is_autocast_enabled('cpu')
