import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Subset

from mmduet.datasets import GroundingDataset, ImageError, LoadImage, grounding_collate
from mmduet.datasets.grounding_dataset import parts_of, tell
from mmduet.datasets.grouped_index import GroupedIndex
from mmduet.io.files import find_file
from mmduet.models import GroundingDataPreprocessor
from mmduet.models.layers.tokenizers import WordPieceTokenizer
from tests.datasets.test_grounding_dataset import TEST_PIPELINE, TRAIN_PIPELINE, build
from tests.tiny_data import line, make_data_root

LEFT, RIGHT = 'the red circle on the left', 'the red circle on the right'


@pytest.fixture(scope='module')
def tokenizer():
    return WordPieceTokenizer(find_file('mmduet/refshapes/vocab.txt'), 16)


def test_items_carry_the_token_ids_of_their_words_as_augmented(tmp_path, tokenizer):
    dataset = build(make_data_root(tmp_path, [line(expression=LEFT)]), pipeline=TRAIN_PIPELINE)
    assert 'token_ids' not in dataset[0]['data_samples']
    dataset.set_tokenizer(tokenizer.encode)
    seen = {}
    for epoch in range(20):
        dataset.set_epoch(epoch)
        sample = dataset[0]['data_samples']
        seen[sample.text, sample.flip] = sample.token_ids
    assert seen == {(LEFT, False): tokenizer.encode(LEFT), (RIGHT, True): tokenizer.encode(RIGHT)}
    assert tokenizer.encode(LEFT) != tokenizer.encode(RIGHT)


def test_persistent_workers_make_the_token_ids_that_the_preprocessor_makes(tmp_path, tokenizer):
    records = [line(expression_id=str(k), expression=text) for k, text in enumerate((LEFT, 'a cup', RIGHT, 'the blue box'))]
    dataset = build(make_data_root(tmp_path, records), pipeline=TRAIN_PIPELINE)
    preprocessor = GroundingDataPreprocessor()
    preprocessor.tokenizer = tokenizer
    dataset.set_tokenizer(tokenizer.encode)
    loader = DataLoader(dataset, batch_size=2, num_workers=1, persistent_workers=True, collate_fn=grounding_collate)
    texts = set()
    for epoch in range(3):
        dataset.set_epoch(epoch)
        for data in loader:
            made = preprocessor(data, training=True)['batch']
            assert all(sample.token_ids == tokenizer.encode(sample.text) for sample in data['data_samples'])
            for sample in data['data_samples']:
                del sample.token_ids
            anew = preprocessor(data, training=True)['batch']
            assert torch.equal(made.token_ids, anew.token_ids) and torch.equal(made.text_padding, anew.text_padding)
            texts.update(made.texts)
    assert {LEFT, RIGHT} < texts


def views(items):
    return [(item['data_samples'].canvas, item['data_samples'].flip) for item in items]


def test_expressions_of_a_group_share_one_view_wherever_a_batch_ends(tmp_path, tokenizer):
    words = ['a cup', LEFT, 'the blue box', RIGHT]
    dataset = build(make_data_root(tmp_path, [line(expression_id=str(k), expression=text) for k, text in enumerate(words)]),
                    pipeline=TRAIN_PIPELINE)
    dataset.set_tokenizer(tokenizer.encode)
    group = (1, 0, 3)
    drawn = set()
    for epoch in range(12):
        dataset.set_epoch(epoch)
        items = dataset.__getitems__([GroupedIndex(index, group) for index in group])
        assert [item['data_samples'].expression_id for item in items] == ['1', '0', '3']
        assert items[0]['inputs'] is items[1]['inputs'] is items[2]['inputs']
        # What the group's first would be alone, and the same where the rest comes in another batch.
        assert views(items) == views([dataset[1]] * 3)
        alone = dataset.__getitems__([GroupedIndex(3, group), 2])
        assert views(alone)[0] == views(items)[0] and torch.equal(alone[0]['inputs'], items[0]['inputs'])
        assert alone[1]['inputs'] is not alone[0]['inputs'] and views(alone)[1] == views([dataset[2]])[0]
        texts = [item['data_samples'].text for item in items]
        assert texts == ([RIGHT, 'a cup', LEFT] if items[0]['data_samples'].flip else [LEFT, 'a cup', RIGHT])
        assert [item['data_samples'].token_ids for item in items] == [tokenizer.encode(text) for text in texts]
        drawn.update(views(items))
    assert len(drawn) > 4 and {flip for _, flip in drawn} == {True, False}


def test_in_evaluation_expressions_of_an_image_are_decoded_once(tmp_path, monkeypatch):
    records = [line(expression_id=str(k), split='val', expression=f'cup {k}') for k in range(3)]
    dataset = build(make_data_root(tmp_path, records), splits=['val'], test_mode=True)
    read, real = [], LoadImage._read
    monkeypatch.setattr(LoadImage, '_read', lambda self, path: read.append(path) or real(self, path))
    first, second, again = dataset.__getitems__([2, 0, 2])
    assert len(read) == 1 and first['inputs'] is second['inputs'] is again['inputs']
    assert [item['data_samples'].expression_id for item in (first, second, again)] == ['2', '0', '2']


class Shouting(GroundingDataset):
    """Its items are changed one by one."""

    def __getitem__(self, index):
        item = super().__getitem__(index)
        item['data_samples'].set_metainfo({'text': item['data_samples'].text.upper()})
        return item


class Polite(GroundingDataset):
    """Its words are changed where they are described."""

    def describe(self, index):
        results = super().describe(index)
        return {**results, 'text': f'please find {results["text"]}'}


class ShoutingBatches(GroundingDataset):
    """Its batches are changed."""

    def __getitems__(self, indices):
        items = super().__getitems__(indices)
        for item in items:
            item['data_samples'].set_metainfo({'text': item['data_samples'].text.upper()})
        return items


class ShoutingBoth(ShoutingBatches):
    """Its items are batches of one."""

    def __getitem__(self, index):
        return self.__getitems__([index])[0]


def build_own(kind, root, **more):
    return kind(data_root=root, splits=['val'], pipeline=TEST_PIPELINE, test_mode=True, **more)


def test_a_batch_holds_what_the_own_getitem_of_a_subclass_gives(tmp_path, tokenizer):
    records = [line(expression_id=str(k), split='val', expression=text) for k, text in enumerate((LEFT, 'the blue box'))]
    dataset = build_own(Shouting, make_data_root(tmp_path, records))
    dataset.set_tokenizer(lambda text: [len(text), int(text.isupper())])
    (data, ) = DataLoader(dataset, batch_size=2, collate_fn=grounding_collate)
    assert [sample.text for sample in data['data_samples']] == [LEFT.upper(), 'THE BLUE BOX']
    assert [sample.token_ids for sample in data['data_samples']] == [[len(LEFT), 1], [12, 1]]


class Masking(Shouting):
    """It blackens the image of every second expression, in place."""

    def __getitem__(self, index):
        item = super().__getitem__(index)
        if index % 2:
            item['inputs'][:] = 0
        return item


def test_items_of_a_group_that_the_own_getitem_of_a_subclass_leaves_equal_share_their_view(tmp_path, tokenizer):
    records = [line(expression_id=str(k), expression=f'cup {k}') for k in range(4)]
    root, group = make_data_root(tmp_path, records), (2, 0, 1)
    for kind, index in ((Shouting, [0, 0, 0, 1]), (Masking, [0, 0, 1, 2])):
        dataset = kind(data_root=root, splits=['train'], pipeline=TRAIN_PIPELINE)
        dataset.set_tokenizer(tokenizer.encode)
        items = dataset.__getitems__([*(GroupedIndex(number, group) for number in group), 3])
        assert grounding_collate(items)['image_index'] == index
        assert [item['data_samples'].text for item in items] == ['CUP 2', 'CUP 0', 'CUP 1', 'CUP 3']
        assert views(items[:2]) == views([dataset[2]] * 2)
    assert items[0]['inputs'].any() and not items[2]['inputs'].any()


@pytest.mark.parametrize('kind', [ShoutingBatches, ShoutingBoth])
def test_an_item_is_one_of_the_own_batches_of_a_subclass(tmp_path, kind):
    dataset = build_own(kind, make_data_root(tmp_path, [line(expression_id=str(k), split='val') for k in range(2)]))
    items = [dataset[0], *dataset.__getitems__([0, 1])]
    assert [item['data_samples'].text for item in items] == ['LEFT CUP'] * 3
    assert items[1]['inputs'] is items[2]['inputs']


def test_every_expression_of_an_image_is_as_the_own_description_of_a_subclass(tmp_path):
    records = [line(expression_id=str(k), split='val', expression=f'cup {k}') for k in range(3)]
    items = build_own(Polite, make_data_root(tmp_path, records)).__getitems__([1, 0, 2])
    assert [item['data_samples'].text for item in items] == ['please find cup 1', 'please find cup 0', 'please find cup 2']
    assert items[0]['inputs'] is items[2]['inputs']


def test_annotations_that_disagree_about_the_size_of_a_shared_image_are_named(tmp_path):
    records = [line(expression_id='1', split='val'), line(expression_id='2', split='val', width=41)]
    dataset = build(make_data_root(tmp_path, records), splits=['val'], test_mode=True)
    with pytest.raises(ImageError, match=r'a\.png has 40 x 30 pixels by one annotation and 41 x 30 by that of 2'):
        dataset.__getitems__([0, 1])


def test_a_tokenizer_reaches_the_data_sets_that_a_wrapper_holds(tmp_path, tokenizer):
    parts = [build(make_data_root(tmp_path / name), splits=['train', 'val']) for name in 'abc']
    tell(ConcatDataset([Subset(parts[0], [1]), parts[1]]), 'set_tokenizer', tokenizer.encode)
    assert [['token_ids' in part[0]['data_samples']] for part in parts] == [[True], [True], [False]]
    tell([1, 2], 'set_tokenizer', tokenizer.encode)  # some data set of a user's: the model makes the ids


def test_the_parts_of_a_data_set_are_those_that_pytorch_joins_or_wraps():
    first, second = [1, 2], [3]
    assert parts_of(ConcatDataset([first, second])) == [first, second]
    assert parts_of(Subset(first, [1])) == [first]
    assert parts_of(first) == []
