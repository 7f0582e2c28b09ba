from functools import lru_cache

import pytest

from mmduet.datasets.preparation import count_by_split
from mmduet.datasets.readers import CATALOG, LAYOUTS, find_dataset
from mmduet.io.errors import DataError
from tests.shared_data import shared
from tests.tiny_data import reference, write_official
from tests.tiny_sources import (
    BOX,
    write_entities,
    write_flickr_index,
    write_index,
    write_mdetr,
    write_real_games,
    write_referit,
    write_shikra,
    write_split_dict,
)


def said(data):
    return sorted((a.image_id, a.split, a.expression, a.box) for a in data.annotations)


@lru_cache
def read_shared(name, folder):
    return find_dataset(name).read(shared(f'data/refcoco_family/{folder}'))


def write_tiny_official(folder):
    return write_official(folder, [reference(0, 5, 'train', ['left cup', 'the  cup']), reference(0, 6, 'val', ['dog'])])


THREE = [(5, 'train', 'left cup', tuple(BOX)), (5, 'train', 'the cup', tuple(BOX)), (6, 'val', 'dog', tuple(BOX))]
REFCOCO = {'official': write_tiny_official, 'index': write_index, 'mdetr': write_mdetr, 'shikra': write_shikra,
           'split-dict': write_split_dict}


@pytest.mark.parametrize('layout', REFCOCO)
def test_every_layout_of_refcoco_is_recognised_and_gives_the_same_samples(tmp_path, layout):
    data = find_dataset('refcoco_unc').read(REFCOCO[layout](tmp_path))
    assert data.layout == layout
    assert said(data) == THREE
    assert data.images[5].file_names == ('COCO_train2014_000000000005.jpg', '000000000005.jpg')


@pytest.mark.parametrize('layout', REFCOCO)
def test_two_layouts_in_one_source_are_ambiguous_and_a_flag_decides(tmp_path, layout):
    other = 'index' if layout != 'index' else 'shikra'
    REFCOCO[layout](tmp_path)
    REFCOCO[other](tmp_path)
    with pytest.raises(DataError, match=r'is ambiguous, it fits 2 layouts of refcoco_unc: .*Choose one with --layout') as error:
        find_dataset('refcoco_unc').read(tmp_path)
    assert f'--layout {layout}' in str(error.value)
    assert f'--layout {other}' in str(error.value)
    assert find_dataset('refcoco_unc').read(tmp_path, layout=layout).layout == layout


def test_a_source_of_nothing_known_says_what_is_there_and_what_is_taken(tmp_path):
    (tmp_path / 'captions.json').write_text('{"images": []}')
    with pytest.raises(DataError, match=r'no annotations of refcoco_unc .*holds: captions\.json\. Its layouts are official'):
        find_dataset('refcoco_unc').read(tmp_path)


def test_a_layout_that_a_data_set_does_not_come_in_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"refcoco_unc comes in the layouts official, .*not in 'entities'"):
        find_dataset('refcoco_unc').read(tmp_path, layout='entities')


def test_referit_is_the_same_by_query_files_and_by_masks(tmp_path):
    spec = find_dataset('referit')
    old, new = spec.read(write_real_games(tmp_path / 'old')), spec.read(write_referit(tmp_path / 'new'))
    assert (old.layout, new.layout) == ('real-games', 'referit')
    assert said(old) == said(new)
    assert said(new)[0] == (5, 'train', 'left cup', (4, 5, 14, 25))


def test_flickr_is_read_from_entities_and_from_index_files(tmp_path):
    spec = find_dataset('flickr30k')
    assert spec.read(write_entities(tmp_path / 'a')).layout == 'entities'
    data = spec.read(write_flickr_index(tmp_path / 'b'))
    assert (data.layout, data.protocol) == ('index', 'merged')
    assert said(data) == THREE


def test_index_files_cannot_be_scored_by_any_of_several_boxes(tmp_path):
    with pytest.raises(DataError, match='the layout index holds one box per phrase, so the protocol is merged'):
        find_dataset('flickr30k').read(write_flickr_index(tmp_path), protocol='any')


def test_every_layout_says_what_files_it_has():
    assert all(layout.files for layout in LAYOUTS.values())


@pytest.mark.parametrize('name', ['refcoco_unc', 'refcocoplus_unc', 'refcocog_umd'])
def test_real_official_files_and_lines_are_the_same_samples_with_published_counts(name):
    spec = find_dataset(name)
    official, lines = read_shared(name, 'official_layout'), read_shared(name, 'val_test')
    assert said(official) == said(lines)
    assert {a.expression_id for a in official.annotations} == {a.expression_id for a in lines.annotations}
    counts = count_by_split(official.annotations)
    for split, published in spec.published.items():
        if split != 'train':
            assert (counts[split][0], counts[split][2]) == (published[0], published[2])


def test_real_index_files_are_the_same_samples():
    assert said(read_shared('refcoco_unc', 'official_layout')) == said(read_shared('refcoco_unc', 'index_layout'))


def test_all_of_referit_is_read_with_its_counts():
    data = find_dataset('referit').read(shared('data/referit'))
    assert count_by_split(data.annotations) == dict(find_dataset('referit').published_for('referit'))
    assert (len(data.annotations), data.blank) == (120081, [])


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
