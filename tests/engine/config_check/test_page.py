"""The examples of docs/config.md print what the page says."""
import doctest

from tests.shared_data import ROOT


def test_examples_of_the_page():
    failed, tried = doctest.testfile(str(ROOT / 'docs/config.md'), module_relative=False,
                                     optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried >= 9 and failed == 0
