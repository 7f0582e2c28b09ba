"""The examples of docstrings are blocks of code on the site."""
import importlib.util

import pytest

from tests.docs.pages import DOCS


@pytest.fixture(scope='module')
def fence():
    found = importlib.util.spec_from_file_location('examples', DOCS / 'site/examples.py')
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.fence


def test_an_example_is_fenced_with_what_it_prints_up_to_the_next_blank_line(fence):
    assert fence('A thing.\n\n>>> x = 1\n>>> [(x, x)]\n[(1, 1)]\n\nArgs:\n    x: a') == (
        'A thing.\n\n```pycon\n>>> x = 1\n>>> [(x, x)]\n[(1, 1)]\n```\n\nArgs:\n    x: a')


def test_an_indented_one_keeps_its_place_and_a_text_without_one_stays(fence):
    assert fence('    >>> 1\n    1') == '    ```pycon\n    >>> 1\n    1\n    ```'
    assert fence('A quote:\n> > no') == 'A quote:\n> > no'
