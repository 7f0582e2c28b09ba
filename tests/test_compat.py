import sys
from importlib import import_module, metadata

import pytest
import torch

from mmduet import compat
from tests.forking import Call, run_calls


def _pretend(monkeypatch, *names):
    monkeypatch.setattr(metadata, 'distributions', lambda name: [object()] if name in names else [])


def test_each_lineage_is_recognised(monkeypatch):
    _pretend(monkeypatch, 'onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection')
    assert compat.detect_host() == 'onedl'
    _pretend(monkeypatch, 'mmengine', 'mmcv-lite', 'mmdet')
    assert compat.detect_host() == 'openmmlab'


def test_no_host_says_what_to_install(monkeypatch):
    _pretend(monkeypatch)
    with pytest.raises(compat.HostError, match=r'pip install "mmduet\[onedl\]"'):
        compat.detect_host()


def test_both_hosts_say_what_to_remove(monkeypatch):
    _pretend(monkeypatch, 'onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection', 'mmengine', 'mmdet')
    with pytest.raises(compat.HostError, match='`pip uninstall mmengine mmdet`'):
        compat.detect_host()


def test_half_a_host_says_what_is_missing(monkeypatch):
    _pretend(monkeypatch, 'onedl-mmengine')
    with pytest.raises(compat.HostError, match='without onedl-mmcv onedl-mmdetection'):
        compat.detect_host()


def test_an_operator_raises_only_when_called():
    operators = compat.MissingOperators('mmcv._ext')
    nms = operators.nms
    with pytest.raises(RuntimeError, match="compiled MMCV operator 'nms' is not installed"):
        nms(1, 2)


def test_a_real_operator_module_is_never_replaced(monkeypatch):
    real = object()
    monkeypatch.setitem(sys.modules, 'mmcv._ext', real)
    assert compat.install_operator_stand_in() is False
    assert sys.modules['mmcv._ext'] is real


def test_the_stand_in_is_known_and_has_a_spec():
    from importlib.util import find_spec
    assert compat.install_operator_stand_in() is isinstance(sys.modules['mmcv._ext'], compat.MissingOperators)
    assert find_spec('mmcv._ext') is sys.modules['mmcv._ext'].__spec__


def _import_without_host():
    for name in [name for name in sys.modules if name.partition('.')[0] in (*compat.PARTS, 'mmduet')]:
        del sys.modules[name]
    ours = ('_HostFinder', '_ChangeWhenImported')
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ not in ours]
    metadata.distributions = lambda name: []
    import mmduet
    assert not any(name in sys.modules for name in compat.PARTS)
    for name in ('GroundingInferencer', 'PretrainedGrounder', 'GroundingInferencer'):
        try:
            getattr(mmduet, name)
        except ImportError as error:
            print(type(error).__name__, error)


def test_mmduet_imports_nothing_of_the_host_and_says_what_to_install_when_it_is_needed():
    finished, = run_calls([Call(_import_without_host)])
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert len(lines) == 3
    assert all(line.startswith('HostError mmduet needs MMEngine, MMCV and MMDetection') for line in lines)


def test_a_module_is_spared_what_it_can_do_without_and_others_find_it(tmp_path, monkeypatch):
    (tmp_path / 'made_up_spared.py').write_text('try:\n    import made_up_slow\n    found = True\n'
                                                'except ImportError:\n    found = False\n')
    (tmp_path / 'made_up_slow.py').write_text('')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(compat.SPARED, 'made_up_spared', 'made_up_slow')
    assert import_module('made_up_spared').found is False
    slow = import_module('made_up_slow')
    del sys.modules['made_up_spared']
    assert import_module('made_up_spared').found is True
    assert sys.modules['made_up_slow'] is slow


def test_what_a_module_of_the_host_prints_when_it_is_imported_stays_out_of_the_output(tmp_path, monkeypatch, capsys):
    (tmp_path / 'made_up_loud.py').write_text('print("made up")\nvalue = 3\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(compat, 'QUIET', (*compat.QUIET, 'made_up_loud'))
    assert import_module('made_up_loud').value == 3 and capsys.readouterr().out == ''
    print('heard')
    assert capsys.readouterr().out == 'heard\n'


def test_mmdetection_imports_and_runs_after_mmduet():
    # As every test does: conftest.py imports mmduet first, and nothing of MMDetection.
    from mmdet.models.backbones import ResNet
    network = ResNet(18, num_stages=1, strides=(1, ), dilations=(1, ), out_indices=(0, ))
    assert network(torch.zeros(1, 3, 32, 32))[0].shape == (1, 64, 8, 8)
