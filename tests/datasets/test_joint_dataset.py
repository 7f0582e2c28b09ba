import json

import pytest

from mmduet.datasets import (
    EpochSampler,
    GroundingDataset,
    JointDataset,
    LoadImage,
    PackGroundingInputs,
    PlaceOnCanvas,
    ResizeLongSide,
)
from mmduet.datasets.grouped_index import GroupedIndex
from mmduet.io.errors import DataError
from tests.tiny_data import line, make_data_root, write_photo


@pytest.fixture
def roots(tmp_path):
    first = make_data_root(tmp_path / 'a', [line(image_id=1), line(expression_id='2', image_id=1, split='val')])
    other = make_data_root(tmp_path / 'b', [line(image='000000000005.jpg', image_id=5),
                                            line(expression_id='2', image='000000000006.jpg', image_id=6)])
    held = make_data_root(tmp_path / 'c', [line(image='COCO_train2014_000000000006.jpg', image_id=6, split='test')])
    return first, other, held


def parts(*roots):
    return [dict(type=GroundingDataset, data_root=root, splits=['train'], pipeline=[]) for root in roots]


def test_data_sets_follow_each_other_and_excluded_images_are_gone_whatever_their_name(roots):
    first, other, held = roots
    assert len(JointDataset(parts(first, other))) == 3
    joint = JointDataset(parts(first, other), exclude=[dict(data_root=held)])
    assert [joint[k]['img_id'] for k in range(len(joint))] == [1, 5]
    assert joint.metainfo == {'dataset_name': 'tiny+tiny', 'splits': ['train', 'train']}


def test_seed_and_epoch_reach_every_part(roots):
    joint = JointDataset(parts(*roots[:2]))
    sampler = EpochSampler(joint, seed=7)
    first = [joint[k]['rng'].random() for k in range(3)]
    sampler.set_epoch(1)
    second = [joint[k]['rng'].random() for k in range(3)]
    sampler.set_epoch(0)
    assert [joint[k]['rng'].random() for k in range(3)] == first
    assert not set(first) & set(second)
    assert len(set(first)) == 3


def test_the_tokenizer_reaches_every_part(roots):
    pack = [dict(type=LoadImage), dict(type=ResizeLongSide, sides=[32]), dict(type=PlaceOnCanvas, size=32),
            dict(type=PackGroundingInputs)]
    write_photo(roots[1] / 'images' / '000000000005.jpg')
    joint = JointDataset([{**part, 'pipeline': pack} for part in parts(*roots[:2])])
    joint.set_tokenizer(lambda expression: [len(expression)])
    assert [joint[k]['data_samples'].token_ids for k in range(2)] == [[8], [8]]


def test_groups_of_every_part_are_drawn_in_the_order_of_the_batch(tmp_path):
    pack = [dict(type=LoadImage), dict(type=ResizeLongSide, sides=[32]), dict(type=PlaceOnCanvas, size=32),
            dict(type=PackGroundingInputs)]
    records = [line(expression_id=str(k), expression=f'cup {k}') for k in range(3)]
    joint = JointDataset([{**part, 'pipeline': pack} for part in parts(
        make_data_root(tmp_path / 'a', records), make_data_root(tmp_path / 'b', records))])
    assert [joint.image_of(index) for index in range(6)] == ['0/a.png'] * 3 + ['1/a.png'] * 3
    one, other = (5, 3), (0, 2)
    indices = [GroupedIndex(5, one), GroupedIndex(0, other), GroupedIndex(3, one), 1]
    items = joint.__getitems__(indices)
    assert [item['data_samples'].text for item in items] == ['cup 2', 'cup 0', 'cup 0', 'cup 1']
    assert [item['data_samples'].img_path.split('/')[-3] for item in items] == ['b', 'a', 'b', 'a']
    assert items[0]['inputs'] is items[2]['inputs'] and len({id(item['inputs']) for item in items}) == 3


def test_nothing_to_train_on_is_refused(roots):
    with pytest.raises(DataError, match='at least one'):
        JointDataset([])
    with pytest.raises(DataError, match='nothing is left'):
        JointDataset(parts(roots[0]), exclude=[dict(data_root=roots[0], splits=['train'])])


@pytest.mark.parametrize(('coco', 'own', 'name'), [
    ('coco/train2014', 'mine/train2014', '{}'), ('coco/train2014', 'mine', 'train2014/{}'), ('coco', 'mine/train2014', '{}')])
def test_a_data_set_of_your_own_over_the_folder_of_coco_knows_its_images_by_their_number(tmp_path, coco, own, name):
    photo = 'COCO_train2014_000000000005.jpg'
    (tmp_path / 'coco/train2014').mkdir(parents=True)
    (tmp_path / 'mine').symlink_to(tmp_path / 'coco')
    roots = [make_data_root(tmp_path / 'refcoco_unc', [line(image='train2014/' * (coco == 'coco') + photo)]),
             make_data_root(tmp_path / 'own', [line(image=name.format(photo)),
                                               line(expression_id='2', image=name.format('0007.jpg'), image_id=2)]),
             make_data_root(tmp_path / 'apart', [line(image=photo)])]
    for root, images in zip(roots, (f'../{coco}', f'../{own}', 'images'), strict=True):
        (root / 'manifest.json').write_text(json.dumps(dict(dataset=root.name, images=images)))
    for order in (roots, roots[::-1]):
        items = JointDataset(parts(*order)).__getitems__(range(4))
        assert {(item['dataset_name'], item['img_id']): item['coco_id'] for item in items} == {
            ('refcoco_unc', 1): 5, ('own', 1): 5, ('own', 2): None, ('apart', 1): None}


class Shouting(JointDataset):
    """Its items are changed one by one."""

    def __getitem__(self, index):
        item = super().__getitem__(index)
        item['data_samples'].set_metainfo({'text': item['data_samples'].text.upper()})
        return item


def test_a_batch_holds_what_the_own_getitem_of_a_subclass_gives(roots):
    pack = [dict(type=LoadImage), dict(type=ResizeLongSide, sides=[32]), dict(type=PlaceOnCanvas, size=32),
            dict(type=PackGroundingInputs)]
    write_photo(roots[1] / 'images' / '000000000005.jpg')
    joint = Shouting([{**part, 'pipeline': pack} for part in parts(*roots[:2])])
    joint.set_tokenizer(lambda expression: [len(expression), int(expression.isupper())])
    drawn = [item['data_samples'] for item in joint.__getitems__([1, 0])]
    assert [sample.text for sample in drawn] == [joint[1]['data_samples'].text, joint[0]['data_samples'].text]
    assert all(sample.text.isupper() for sample in drawn)
    assert [sample.token_ids for sample in drawn] == [[len(sample.text), 1] for sample in drawn]


def test_the_own_getitem_of_a_subclass_keeps_the_view_of_a_group(tmp_path):
    pack = [dict(type=LoadImage), dict(type=ResizeLongSide, sides=[24, 32]), dict(type=PlaceOnCanvas, size=32),
            dict(type=PackGroundingInputs)]
    records = [line(expression_id=str(k), expression=f'cup {k}') for k in range(6)]
    datasets = [{**part, 'pipeline': pack} for part in parts(*(make_data_root(tmp_path / name, records) for name in 'ab'))]
    joint, plain = Shouting(datasets), JointDataset(datasets)
    for dataset in (joint, plain):
        dataset.set_seed(3)
        dataset.set_epoch(2)
    group = (10, 7, 8, 9)  # of the second data set
    indices = [GroupedIndex(number, group) for number in group]
    drawn, expected = joint.__getitems__([*indices, 2]), plain.__getitems__([*indices, 2])
    assert [item['data_samples'].text for item in drawn] == ['CUP 4', 'CUP 1', 'CUP 2', 'CUP 3', 'CUP 2']
    assert all(item['inputs'] is drawn[0]['inputs'] for item in drawn[1:4]) and drawn[4]['inputs'] is not drawn[0]['inputs']
    assert all(item['inputs'].equal(same['inputs']) for item, same in zip(drawn, expected, strict=True))


def test_an_index_counts_from_the_end_and_ends(roots):
    joint = JointDataset(parts(*roots[:2]))
    assert [joint[k]['img_id'] for k in (-1, -3)] == [6, 1]
    for index in (3, -4):
        with pytest.raises(IndexError):
            joint[index]
    assert len(list(joint)) == 3
