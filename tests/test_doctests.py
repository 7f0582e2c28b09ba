"""The examples in the docstrings run and print what they say."""
import doctest
import importlib
import logging
import pkgutil

import pytest
from mmengine.logging import MMLogger

import mmduet
from tests.shared_data import ROOT


def has_examples(info):
    path = ROOT / info.name.replace('.', '/')
    return '>>>' in (path / '__init__.py' if info.ispkg else path.with_suffix('.py')).read_text()


WITH_EXAMPLES = sorted(info.name for info in pkgutil.walk_packages(mmduet.__path__, 'mmduet.') if has_examples(info))


@pytest.mark.parametrize('name', WITH_EXAMPLES)
def test_examples_print_what_they_say(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MMLogger.get_current_instance(), 'level', logging.WARNING)
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried > 0 and failed == 0


def test_what_users_meet_first_has_an_example():
    names = {test.name for name in WITH_EXAMPLES for test in doctest.DocTestFinder().find(importlib.import_module(name))
             if test.examples}
    assert len(names) >= 20
