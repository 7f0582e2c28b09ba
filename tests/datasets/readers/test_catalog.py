import pytest

from mmduet.datasets.errors import DataError
from mmduet.datasets.readers import CATALOG, find_dataset
from tests.tiny_data import reference, write_official


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


def test_the_source_may_be_the_folder_or_its_parent_beside_other_data_sets(tmp_path):
    for folder, text in (('refcoco', 'of refcoco'), ('refcoco+', 'of refcoco+')):
        write_official(tmp_path / folder, [reference(0, 5, 'val', [text])])
    for source in (tmp_path, tmp_path / 'refcoco+'):
        assert [a.expression for a in find_dataset('refcocoplus_unc').read(source).annotations] == ['of refcoco+']


def test_a_folder_named_after_another_data_set_is_refused(tmp_path):
    write_official(tmp_path / 'refcoco')
    with pytest.raises(DataError, match='no annotations of refcocoplus_unc were recognised'):
        find_dataset('refcocoplus_unc').read(tmp_path / 'refcoco')


def test_a_protocol_is_only_taken_by_a_data_set_that_has_it(tmp_path):
    with pytest.raises(DataError, match="refcoco_unc has the protocols none, not 'any'"):
        find_dataset('refcoco_unc').read(tmp_path, protocol='any')


def test_referit_json_files_have_counts_of_their_own():
    assert find_dataset('referit').published_for('index')['test'][2] == 60103
    assert find_dataset('referit').published_for('referit')['test'][2] == 60105
