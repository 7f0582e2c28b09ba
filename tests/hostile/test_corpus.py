"""Every crafted file is refused in one sentence that names it, or harmless; reading it runs nothing and writes nowhere else."""
import pytest

from tests.hostile.corpus import CASES, try_case


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_a_crafted_file_is_refused_or_harmless(case, tmp_path):
    assert try_case(case, tmp_path) == []


def test_there_are_at_least_250_different_files():
    assert len({case.name for case in CASES}) == len(CASES) >= 250
