"""One export for all tests: it takes longer than the rest of them."""
import logging
from pathlib import Path

import pytest

from mmduet.cli.export import main
from tests.export.made_grounders import make_grounder


@pytest.fixture(scope='session')
def quiet():
    """No debugging log: pytest keeps all of it, and what PyTorch would say of a trace takes longer than the trace."""
    before = logging.root.manager.disable
    logging.disable(logging.DEBUG)
    yield
    logging.disable(before)


@pytest.fixture(scope='session')
def folder(tmp_path_factory):
    """A saved TransVG with a score."""
    path = tmp_path_factory.mktemp('saved') / 'tiny'
    make_grounder().save_pretrained(path)
    return path


@pytest.fixture(scope='session')
def exported(folder, quiet, tmp_path_factory):
    """The same, exported by the command."""
    path = tmp_path_factory.mktemp('exported') / 'new' / 'tiny.onnx'
    assert main([str(folder), '--out', str(path), '--check', '10']) == 0
    assert [file.name for file in Path(path).parent.iterdir()] == ['tiny.onnx']
    return path
