"""The real annotations in every layout that they come in: layouts that are not at hand are written from one that is."""
import json
from collections import defaultdict
from functools import lru_cache

import pytest
import torch

from mmduet.datasets.preparation import count_by_split
from mmduet.datasets.readers import find_dataset
from tests.shared_data import shared
from tests.tiny_sources import write_json


def said(annotations):
    return sorted((a.image_id, a.split, a.expression, a.box) for a in annotations)


@lru_cache
def official(name):
    return find_dataset(name).read(shared('data/refcoco_family/official_layout')).annotations


def xywh(box):
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def by_split(annotations):
    found = defaultdict(list)
    for annotation in annotations:
        found[annotation.split].append(annotation)
    return found


def write_index_files(folder, key, annotations):
    (folder / key).mkdir()
    for split, part in by_split(annotations).items():
        rows = [(a.image, f'{n}.pth', torch.tensor(xywh(a.box), dtype=torch.float64).tolist(), a.expression, [('r1', ['none'])])
                for n, a in enumerate(part)]
        torch.save(rows, folder / key / f'{key}_{split}.pth')


def write_mdetr_files(folder, family, annotations):
    for split, part in by_split(annotations).items():
        write_json(folder / f'finetune_{family}_{split}.json', {
            'info': '', 'licenses': '', 'categories': [],
            'images': [{'file_name': a.image, 'height': a.height, 'width': a.width, 'id': n, 'original_id': a.image_id,
                        'caption': a.expression, 'dataset_name': family, 'tokens_negative': [[0, len(a.expression)]]}
                       for n, a in enumerate(part)],
            'annotations': [{'area': 1.0, 'iscrowd': 0, 'image_id': n, 'category_id': 1, 'id': n, 'bbox': xywh(a.box),
                             'original_id': a.ann_id, 'tokens_positive': [[0, 1]]} for n, a in enumerate(part)]})


def write_split_dict_file(folder, annotations):
    content = {}
    for split, part in by_split(annotations).items():
        objects = defaultdict(list)
        for a in part:
            objects[a.ref_id].append(a)
        content[split] = [{'bbox': xywh(own[0].box), 'image_id': own[0].image_id, 'height': own[0].height,
                           'width': own[0].width, 'ann_id': own[0].ann_id, 'expressions': [a.expression for a in own]}
                          for own in objects.values()]
    write_json(folder / 'instances.json', content)


@pytest.mark.parametrize(('name', 'key'), [
    ('refcocog_umd', 'gref_umd'), pytest.param('refcocoplus_unc', 'unc+', marks=pytest.mark.slow)])
def test_index_files_of_real_annotations_are_the_same_samples(tmp_path, name, key):
    write_index_files(tmp_path, key, official(name))
    data = find_dataset(name).read(tmp_path)
    assert (data.layout, len(data.annotations)) == ('index', len(official(name)))
    assert said(data.annotations) == said(official(name))


@pytest.mark.parametrize(('name', 'family'), [
    ('refcocog_umd', 'refcocog'), pytest.param('refcoco_unc', 'refcoco', marks=pytest.mark.slow),
    pytest.param('refcocoplus_unc', 'refcoco+', marks=pytest.mark.slow)])
def test_mdetrs_files_of_real_annotations_are_the_same_samples(tmp_path, name, family):
    write_mdetr_files(tmp_path, family, official(name))
    data = find_dataset(name).read(tmp_path)
    assert data.layout == 'mdetr'
    assert said(data.annotations) == said(official(name))


@pytest.mark.parametrize(('name', 'folder'), [
    ('refcocog_umd', 'refcocog-umd'), pytest.param('refcoco_unc', 'refcoco-unc', marks=pytest.mark.slow)])
def test_seqtrs_files_of_real_annotations_are_the_same_samples_and_references(tmp_path, name, folder):
    write_split_dict_file(tmp_path / folder, official(name))
    data = find_dataset(name).read(tmp_path)
    assert data.layout == 'split-dict'
    assert said(data.annotations) == said(official(name))
    assert count_by_split(data.annotations) == count_by_split(official(name))


def read_referit(name):
    return json.loads(shared(f'data/referit/{name}').read_text())


def test_the_games_of_real_queries_are_the_same_samples_by_boxes_and_by_masks(tmp_path):
    np = pytest.importorskip('numpy')
    savemat = pytest.importorskip('scipy.io').savemat
    boxes, sizes, queries = (read_referit(f'referit_{name}.json') for name in ('bbox', 'imsize', 'query_val'))
    (tmp_path / 'mask').mkdir()
    for region in list(queries)[:20]:
        x1, y1, x2, y2 = boxes.pop(region)
        width, height = sizes[f'{region.partition("_")[0]}.jpg']
        mask = np.ones((height, width), np.uint8)
        mask[y1, x1:x2 + 1] = mask[y2, x1:x2 + 1] = mask[y1:y2 + 1, x1] = mask[y1:y2 + 1, x2] = 0
        savemat(tmp_path / 'mask' / f'{region}.mat', {'segimg_t': mask}, do_compression=True)
    lines = [f'{region}.jpg~{text}~.339~.023' for region, texts in queries.items() for text in texts]
    (tmp_path / 'RealGames.txt').write_text('\n'.join(lines) + '\n')
    write_json(tmp_path / 'referit_bbox.json', boxes)
    write_json(tmp_path / 'referit_imsize.json', sizes)
    (tmp_path / 'referit_val_imlist.txt').write_text(shared('data/referit/referit_val_imlist.txt').read_text())
    games = find_dataset('referit').read(tmp_path, layout='real-games')
    (tmp_path / 'known').mkdir()
    for name in ('bbox', 'imsize', 'query_val'):
        (tmp_path / 'known' / f'referit_{name}.json').symlink_to(shared(f'data/referit/referit_{name}.json'))
    assert said(games.annotations) == said(find_dataset('referit').read(tmp_path / 'known').annotations)
    assert count_by_split(games.annotations) == {'val': (1000, 4866, 5842)}


@pytest.mark.parametrize('protocol', ['merged', 'any'])
def test_real_sentences_of_flickr_give_every_phrase_with_a_box_under_both_protocols(tmp_path, protocol):
    sentences = shared('data/flickr30k_entities/Sentences')
    (tmp_path / 'Annotations').mkdir()
    (tmp_path / 'Sentences').symlink_to(sentences)
    names = sorted(path.stem for path in sentences.iterdir())
    expected, several = 0, 0
    for name in names:
        marks = [part.partition('/')[0] for part in (sentences / f'{name}.txt').read_text().split('[/EN#')[1:]]
        chains = [chain for chain in dict.fromkeys(marks) if chain != '0']
        objects = ''
        # The first chain of an image has no box, the second two, the others one.
        for place, chain in enumerate(chains):
            for box in range((0, 2, 1)[min(place, 2)]):
                corners = zip(('xmin', 'ymin', 'xmax', 'ymax'), (1 + 50 * box, 1, 40 + 50 * box, 30 + place), strict=True)
                inner = ''.join(f'<{tag}>{value}</{tag}>' for tag, value in corners)
                objects += f'<object><name>{chain}</name><bndbox>{inner}</bndbox></object>'
        (tmp_path / 'Annotations' / f'{name}.xml').write_text(f'<annotation>{objects}</annotation>')
        expected += sum(chain in chains[1:] for chain in marks)
        several += marks.count(chains[1])
    (tmp_path / 'test.txt').write_text('\n'.join(names))
    data = find_dataset('flickr30k').read(tmp_path, protocol=protocol)
    assert len(data.annotations) == expected > 60
    assert data.protocol == protocol
    assert sum(a.boxes is not None for a in data.annotations) == (several if protocol == 'any' else 0)
    assert {a.box[2] for a in data.annotations} == ({39, 89} if protocol == 'merged' else {39})
    assert not [a.expression for a in data.annotations if '[' in a.expression or '/' in a.expression]
