"""What every test of ``tests/`` and ``projects/`` starts from: one thread, MMDetection importable, no state of other tests."""
import gc
import os
import sys
from collections.abc import Iterator

WITHOUT_CUDA = 'PYTORCH_NVML_BASED_CUDA_CHECK'
for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ.setdefault(name, '1')
# While modules are imported, asking whether there is a GPU must not start CUDA, which no forked process could use afterwards.
os.environ[WITHOUT_CUDA] = '1'

import pytest  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    """Make MMDetection importable before any test imports it, with one thread, as threads do not survive a fork."""
    if config.getoption('numprocesses', None) and not hasattr(config, 'workerinput'):
        return  # the process that hands out the tests and runs none
    import cv2
    import torch

    import mmduet  # noqa: F401
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Fork the process from which tools are forked while all test modules are imported and none has run."""
    os.environ.pop(WITHOUT_CUDA, None)  # a slow way to ask
    gc.freeze()  # what was imported stays, and need not be looked through for garbage again
    if 'tests.forking' in sys.modules:
        from tests.forking import start
        start()


def pytest_sessionfinish() -> None:
    """End that process, so that its time counts as ours."""
    if 'tests.forking' in sys.modules:
        from tests.forking import stop
        stop()


@pytest.fixture(scope='session', autouse=True)
def _unformatted_configs() -> Iterator[None]:
    """Dump configs without the formatter, which takes longer than the rest of a tiny training; forked tools format theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **_: (text, True))
        yield


@pytest.fixture(autouse=True)
def _no_instances_of_other_tests() -> Iterator[None]:
    """Forget the loggers, message hubs and scopes that MMEngine keeps by a name which holds the second of the day."""
    from mmengine.utils import ManagerMixin
    kept = {kind: dict(kind._instance_dict) for kind in _kinds(ManagerMixin)}
    yield
    for kind in _kinds(ManagerMixin):
        for name in kind._instance_dict.keys() - kept.get(kind, {}).keys():
            instance = kind._instance_dict.pop(name)
            for handler in list(getattr(instance, 'handlers', ())):
                instance.removeHandler(handler)
                handler.close()


def _kinds(kind: type) -> list[type]:
    return [each for base in kind.__subclasses__() for each in (base, *_kinds(base))]
