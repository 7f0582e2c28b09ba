"""The errors that the page of questions explains are ones that the code says."""
import re

import pytest

from tests.docs.error_sentences import says, templates
from tests.docs.pages import DOCS
from tests.shared_data import ROOT

SENTENCES = re.findall(r'^#### `(.*)`$', (DOCS / 'faq.md').read_text(), flags=re.MULTILINE)


@pytest.fixture(scope='module')
def known():
    return templates(ROOT / 'mmduet', ROOT / 'tools')


def test_every_sentence_is_said_somewhere(known):
    assert len(SENTENCES) >= 30
    assert [sentence for sentence in SENTENCES if not says(sentence, known)] == []


@pytest.mark.parametrize(('sentence', 'said'), [
    ('there is no file …', True), ('no file', True), ('no folder …', False), ('…', False),
    ('…: make it with', False), ('there … make it', True)])
def test_a_sentence_is_compared_with_what_is_filled_in_left_open(sentence, said, tmp_path):
    (tmp_path / 'code.py').write_text("raise ValueError(f'there is no file {name}' if x else f'there is {a} to {b}: make it')")
    assert says(sentence, templates(tmp_path)) == said
