"""Whatever stands in a source, the answer is data or a sentence about a file."""
import copy
import json
import pickle
import random

import pytest
import torch

from mmduet.datasets.annotation_file import read_annotations, write_annotations
from mmduet.datasets.preparation import prepare
from mmduet.datasets.readers import find_dataset
from mmduet.io.errors import DataError
from tests.tiny_data import reference, write_lines, write_official, write_photo
from tests.tiny_sources import (
    write_entities,
    write_index,
    write_mdetr,
    write_real_games,
    write_referit,
    write_shikra,
    write_split_dict,
)

WRONG = [None, -1, 1.5, float('nan'), float('inf'), 10**400, True, '', {}, [None]]


@pytest.fixture
def images(tmp_path):
    for image in (5, 6):
        for name in (f'COCO_train2014_{image:012d}.jpg', f'{image}.jpg'):
            write_photo(tmp_path / 'images' / name)
    return tmp_path / 'images'


def paths_in(node, path=()):
    if path:
        yield path
    for key in (node if isinstance(node, dict) else range(len(node)) if isinstance(node, list | tuple) else ()):
        yield from paths_in(node[key], (*path, key))


def changed(node, path, value):
    key, *rest = path
    is_tuple, node = isinstance(node, tuple), list(node) if isinstance(node, tuple) else node
    node[key] = changed(node[key], rest, value) if rest else value
    return tuple(node) if is_tuple else node


def spoiled(content):
    for path in paths_in(content):
        for value in WRONG:
            yield path, value, changed(copy.deepcopy(content), path, value)


def prepare_or_refuse(name, source, images, out):
    """Data that can be written and read again, or an error of data; anything else fails the test."""
    try:
        _, prepared = prepare(find_dataset(name), source, images)
    except DataError:
        return 'refused'
    if not write_annotations(out, prepared.annotations):
        return 'no image is there'
    assert len(read_annotations(out)) == len(prepared.annotations)
    return 'read'


def write_tiny_official(folder):
    return write_official(folder, [reference(0, 5, 'train', ['left cup', 'the  cup']), reference(0, 6, 'val', ['dog'])])


def write_own(folder):
    common = {'image': '5.jpg', 'box': [1, 2, 30, 20.5], 'image_id': 5, 'width': 40, 'height': 30, 'split': 'train',
              'category': 'cup', 'ref_id': 3, 'ann_id': 4, 'kind': 'place'}
    folder.mkdir()
    write_lines(folder / 'train.jsonl', [{**common, 'expression_id': str(n), 'expression': f'cup {n}'} for n in range(2)])
    return folder


JSON = [('refcoco_unc', write_tiny_official, 'instances.json'), ('refcoco_unc', write_mdetr, 'finetune_refcoco_train.json'),
        ('refcoco_unc', write_split_dict, 'instances.json'), ('referit', write_referit, 'referit_query_train.json'),
        ('referit', write_referit, 'referit_bbox.json'), ('referit', write_referit, 'referit_imsize.json')]


@pytest.mark.parametrize(('name', 'write', 'file'), JSON)
def test_no_value_of_a_json_file_ends_in_anything_but_a_sentence(tmp_path, images, name, write, file):
    path = write(tmp_path / 'source') / file
    for place, value, content in spoiled(json.loads(path.read_text())):
        path.write_text(json.dumps(content))
        assert prepare_or_refuse(name, tmp_path / 'source', images, tmp_path / 'out.jsonl'), (place, value)


@pytest.mark.parametrize(('name', 'write', 'file'), [
    ('own', write_own, 'train.jsonl'), ('refcoco_unc', write_shikra, 'REC_refcoco_unc_train.jsonl')])
def test_no_value_of_a_line_ends_in_anything_but_a_sentence(tmp_path, images, name, write, file):
    path = write(tmp_path / 'source') / file
    first, *rest = path.read_text().splitlines()
    for place, value, content in spoiled(json.loads(first)):
        path.write_text('\n'.join([json.dumps(content), *rest]))
        assert prepare_or_refuse(name, tmp_path / 'source', images, tmp_path / 'out.jsonl'), (place, value)


def test_no_value_of_a_pickle_or_an_index_ends_in_anything_but_a_sentence(tmp_path, images):
    refs = write_tiny_official(tmp_path / 'official') / 'refs(unc).p'
    for place, value, content in spoiled(pickle.loads(refs.read_bytes())):
        refs.write_bytes(pickle.dumps(content))
        assert prepare_or_refuse('refcoco_unc', tmp_path / 'official', images, tmp_path / 'out.jsonl'), (place, value)
    index = write_index(tmp_path / 'index') / 'unc' / 'unc_train.pth'
    for place, value, content in spoiled(torch.load(index)):
        torch.save(content, index)
        assert prepare_or_refuse('refcoco_unc', tmp_path / 'index', images, tmp_path / 'out.jsonl'), (place, value)


@pytest.mark.parametrize(('name', 'write', 'pattern'), [
    ('refcoco_unc', write_tiny_official, 'refs(unc).p'), ('refcoco_unc', write_index, 'unc/unc_train.pth'),
    ('refcoco_unc', write_mdetr, 'finetune_refcoco_train.json'), ('referit', write_real_games, 'RealGames.txt'),
    ('referit', write_real_games, '5_1.mat'), ('flickr30k', write_entities, 'Annotations/5.xml'),
    ('flickr30k', write_entities, 'Sentences/5.txt')])
def test_files_with_changed_or_missing_bytes_end_in_a_sentence(tmp_path, images, name, write, pattern):
    path = write(tmp_path / 'source') / pattern
    whole, rng = path.read_bytes(), random.Random(0)
    for _ in range(40):
        corrupt = bytearray(whole)
        corrupt[rng.randrange(len(corrupt))] = rng.randrange(256)
        for content in (bytes(corrupt), whole[:rng.randrange(len(whole))]):
            path.write_bytes(content)
            assert prepare_or_refuse(name, tmp_path / 'source', images, tmp_path / 'out.jsonl'), content


def test_an_index_in_the_older_container_is_read_and_refused_alike(tmp_path, images):
    path = write_index(tmp_path / 'source') / 'unc' / 'unc_train.pth'
    torch.save(torch.load(path), path, _use_new_zipfile_serialization=False)
    assert prepare_or_refuse('refcoco_unc', tmp_path / 'source', images, tmp_path / 'out.jsonl') == 'read'
    whole = path.read_bytes()
    for end in range(0, len(whole), 5):
        path.write_bytes(whole[:end])
        assert prepare_or_refuse('refcoco_unc', tmp_path / 'source', images, tmp_path / 'out.jsonl') == 'refused'


def test_a_byte_order_mark_and_odd_ends_of_lines_inside_text_change_nothing(tmp_path, images):
    line = {'image': '5.jpg', 'expression': 'left\u2028cup\x85now', 'box': [1, 2, 30, 20]}
    (tmp_path / 'train.jsonl').write_text('\ufeff' + json.dumps(line, ensure_ascii=False) + '\r\n', encoding='utf-8')
    data, _ = prepare(find_dataset('own'), tmp_path / 'train.jsonl', images)
    assert [annotation.expression for annotation in data.annotations] == ['left cup now']
