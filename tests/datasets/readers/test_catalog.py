import pytest

from mmduet.datasets.readers import CATALOG, find_dataset
from mmduet.io.errors import DataError
from tests.tiny_data import reference, write_official


def test_there_is_no_default_split_of_refcocog():
    assert 'refcocog' not in CATALOG
    with pytest.raises(DataError, match=r"no data set is called 'refcocog'; did you mean refcocog_umd or refcocog_google\?"):
        find_dataset('refcocog')


def test_the_google_split_comes_with_its_warning():
    assert 'images of its val are also in its train' in CATALOG['refcocog_google'].warning
    assert CATALOG['refcocog_umd'].warning == ''


def test_published_counts_are_images_references_expressions():
    published = {name: dict(spec.published) for name, spec in CATALOG.items() if spec.published}
    assert published == {
        'refcoco_unc': {'train': (16994, 42404, 120624), 'val': (1500, 3811, 10834), 'testA': (750, 1975, 5657),
                        'testB': (750, 1810, 5095)},
        'refcocoplus_unc': {'train': (16992, 42278, 120191), 'val': (1500, 3805, 10758), 'testA': (750, 1975, 5726),
                            'testB': (750, 1798, 4889)},
        'refcocog_umd': {'train': (21899, 42226, 80512), 'val': (1300, 2573, 4896), 'test': (2600, 5023, 9602)},
        'refcocog_google': {'train': (24698, 44822, 85474), 'val': (4650, 5000, 9536)},
        'referit': {'train': (None, None, 54127), 'val': (None, None, 5842), 'test': (None, None, 60103)},
        'flickr30k': {'train': (29783, None, 427193), 'val': (1000, None, 14433), 'test': (1000, None, 14481)}}
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
