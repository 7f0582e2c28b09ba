from pathlib import Path

import pytest

from mmduet.datasets.errors import DataError
from mmduet.datasets.readers import CATALOG, find_dataset


def test_there_is_no_default_split_of_refcocog():
    assert 'refcocog' not in CATALOG
    with pytest.raises(DataError, match=r"no data set is called 'refcocog'; did you mean refcocog_umd or refcocog_google\?"):
        find_dataset('refcocog')


def test_the_google_split_comes_with_its_warning():
    assert 'images of its val are also in its train' in CATALOG['refcocog_google'].warning
    assert CATALOG['refcocog_umd'].warning == ''


def test_published_counts_are_images_references_expressions():
    assert find_dataset('refcoco_unc').published['train'] == (16994, 42404, 120624)
    assert sum(counts[2] for counts in find_dataset('refcoco_unc').published.values()) == 142210
    assert sum(counts[2] for counts in find_dataset('refcocoplus_unc').published.values()) == 141564


def test_the_source_may_be_the_folder_or_its_parent(tmp_path):
    (tmp_path / 'refcoco+').mkdir()
    spec = find_dataset('refcocoplus_unc')
    assert spec.locate(tmp_path) == tmp_path / 'refcoco+'
    assert spec.locate(Path('elsewhere')) == Path('elsewhere')
