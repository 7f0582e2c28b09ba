"""The comparison has its rows, says how each was found, and of which versions it speaks."""
import re

import pytest

from tests.docs.pages import DOCS
from tests.shared_data import ROOT

TEXT = (DOCS / 'compared.md').read_text()
ROWS = [[cell.strip() for cell in line.strip('|').split('|')] for line in TEXT.splitlines() if re.match(r'\| \d+\. ', line)]


def test_its_rows_are_numbered_and_our_column_is_full():
    assert [int(row[0].split('.')[0]) for row in ROWS] == list(range(1, len(ROWS) + 1)) and len(ROWS) >= 60
    assert all(len(row) == 7 and row[1] for row in ROWS)


def test_a_claim_about_another_framework_says_how_it_was_found():
    for name, _, *others in ROWS:
        for cell in others:
            bare = cell in ('', 'no') or cell.startswith(('you ', 'classes', 'by your script', 'another project'))
            assert bare or cell.endswith(('**t**', '**s**', '**d**')) or '**t**;' in cell, f'{name}: {cell}'


@pytest.mark.parametrize(('said', 'pinned'), [('MMDetection', 'onedl-mmdetection'), ('MMEngine', 'onedl-mmengine'),
                                              ('transformers', 'transformers'), ('open_clip', 'open_clip_torch')])
def test_the_versions_are_those_that_the_tests_run_with(said, pinned):
    version = re.search(rf'^{pinned}==(.+)$', (ROOT / 'requirements/tested.txt').read_text(), flags=re.MULTILINE)[1]
    assert f'{said} {version}' in TEXT.replace('\n', ' ')


def test_rows_that_others_win_are_said_aloud():
    losing = [row[0] for row in ROWS if row[1].startswith('**no')]
    assert len(losing) >= 5 and '## Where others are ahead' in TEXT
