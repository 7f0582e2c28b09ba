from functools import lru_cache

import pytest

from mmduet.datasets.preparation import count_by_split
from mmduet.datasets.readers import LAYOUTS, find_dataset
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
