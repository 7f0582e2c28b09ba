import numpy as np
import pytest

from mmduet.datasets import LoadImage, PackGroundingInputs, PlaceOnCanvas, RandomFlip, RandomTargetCrop, ResizeLongSide
from mmduet.datasets.transforms import expressions_of
from mmduet.datasets.transforms.shared_view import run_pipeline
from mmduet.io.errors import DataError

BOXES = ((10.0, 20.0, 110.0, 80.0), (500.0, 400.0, 560.0, 470.0))


def make_results(texts=('a cup', 'a plate'), boxes=BOXES, seed=0):
    image = np.arange(480 * 640 * 3, dtype=np.uint32).reshape(480, 640, 3).astype(np.uint8)
    own = [{'text': text, 'box': np.array(box), 'distractors': np.array([other]), 'distractor_index': np.array([k])}
           for k, (text, box, other) in enumerate(zip(texts, boxes, boxes[::-1], strict=True))]
    return {'img': image, 'image_shape': (480, 640), 'ori_shape': (480, 640), 'flip': False, 'img_path': 'a.jpg',
            'rng': np.random.default_rng(seed), **own[0], 'companions': own[1:]}


def test_a_crop_keeps_every_target_and_moves_all_boxes():
    cropped = 0
    for seed in range(200):
        results = RandomTargetCrop(prob=1, tries=60)(make_results(seed=seed))
        x1, y1, x2, y2 = results.get('crop_window', (0, 0, 640, 480))
        for expression, box in zip(expressions_of(results), np.array(BOXES), strict=True):
            expected = np.clip(box - [x1, y1, x1, y1], 0, [x2 - x1, y2 - y1] * 2)
            np.testing.assert_allclose(expression['box'], expected)
            sides, whole = expression['box'][2:] - expression['box'][:2], box[2:] - box[:2]
            assert sides.min() > 0 and sides.prod() >= 0.5 * whole.prod()
            np.testing.assert_allclose(expression['distractors'][0], expressions_of(results)[1 - expression[
                'distractor_index'][0]]['box'])
        cropped += 'crop_window' in results
    assert cropped > 20


@pytest.mark.parametrize('texts', [('left cup', 'a plate'), ('a cup', 'the one on the left')])
def test_a_place_in_any_expression_forbids_the_crop(texts):
    for seed in range(20):
        assert 'crop_window' not in RandomTargetCrop(prob=1, tries=60)(make_results(texts, seed=seed))


def test_a_mirror_turns_all_boxes_and_words():
    results = RandomFlip(prob=1)(make_results(('left cup', 'a plate')))
    assert results['flip'] and [each['text'] for each in expressions_of(results)] == ['right cup', 'a plate']
    assert [each['swapped_words'] for each in expressions_of(results)] == [1, 0]
    np.testing.assert_allclose([each['box'] for each in expressions_of(results)], [[530, 20, 630, 80], [80, 400, 140, 470]])
    np.testing.assert_allclose(results['companions'][0]['distractors'], [[530, 20, 630, 80]])


@pytest.mark.parametrize('texts', [('number 7', 'a plate'), ('a cup', 'number 7')])
def test_what_cannot_be_mirrored_forbids_it_for_all(texts):
    results = RandomFlip(prob=1)(make_results(texts))
    assert not results['flip'] and [each['text'] for each in expressions_of(results)] == list(texts)


def test_all_are_packed_with_one_image():
    pipeline = [RandomFlip(prob=1), ResizeLongSide([64]), PlaceOnCanvas(size=64), PackGroundingInputs()]
    first, second = run_pipeline(make_results(), pipeline)
    assert first['inputs'] is second['inputs'] and set(first) == set(second) == {'inputs', 'data_samples'}
    samples = first['data_samples'], second['data_samples']
    assert [sample.text for sample in samples] == ['a cup', 'a plate']
    assert samples[0].canvas == samples[1].canvas and samples[0].flip and samples[1].flip
    assert [sample.gt_instances.bboxes[0].tolist() for sample in samples] == [[530, 20, 630, 80], [80, 400, 140, 470]]
    assert [sample.distractors.index.tolist() for sample in samples] == [[0], [1]]


def test_an_expression_keeps_nothing_of_the_first_that_is_not_shared():
    results = make_results()
    results.update(accepted_boxes=np.zeros((2, 4)), expression_id='1')
    results['companions'][0]['expression_id'] = '2'
    first, second = run_pipeline(results, [PlaceOnCanvas(size=640), PackGroundingInputs()])
    assert 'accepted_boxes' in first['data_samples'] and 'accepted_boxes' not in second['data_samples']
    assert second['data_samples'].expression_id == '2' and second['data_samples'].img_path == 'a.jpg'


class AddWord:
    def __call__(self, results):
        results['text'] = 'the ' + results['text']
        return results


class AddWordToAll:
    def __call__(self, results):
        for expression in expressions_of(results):
            expression['text'] = 'the ' + expression['text']
        return results


def test_a_transform_that_knows_one_expression_alone_is_named():
    end = [PlaceOnCanvas(size=640), PackGroundingInputs()]
    with pytest.raises(DataError, match='AddWord changes words or box of one expression alone'):
        run_pipeline(make_results(), [AddWord(), *end])
    items = run_pipeline(make_results(), [AddWordToAll(), *end])
    assert [item['data_samples'].text for item in items] == ['the a cup', 'the a plate']
    alone = make_results()
    del alone['companions']
    assert [item['data_samples'].text for item in run_pipeline(alone, [AddWord(), *end])] == ['the a cup']


def test_a_pipeline_that_packs_one_expression_alone_is_named():
    class PackOne:
        def __call__(self, results):
            return {'inputs': results['img'], 'data_samples': results['text']}
    with pytest.raises(DataError, match='packed 1 of 2 expressions that share an image'):
        run_pipeline(make_results(), [PackOne()])


def test_loading_fits_a_group_too(tmp_path):
    from PIL import Image
    Image.new('RGB', (40, 30), 'red').save(tmp_path / 'a.png')
    results = make_results(boxes=((1, 2, 3, 4), (5, 6, 7, 8)))
    del results['img']
    results.update(img_path=str(tmp_path / 'a.png'), width=40, height=30)
    items = run_pipeline(results, [LoadImage(), PlaceOnCanvas(size=64), PackGroundingInputs()])
    assert [item['data_samples'].ori_shape for item in items] == [(30, 40)] * 2


def test_a_transform_that_does_not_give_its_results_is_named():
    class Forgets:
        def __call__(self, results):
            results['text'] = 'a cup'

    with pytest.raises(DataError, match=r'^Forgets gives NoneType .* return results$'):
        run_pipeline(make_results(), [Forgets(), PackGroundingInputs()])


@pytest.mark.parametrize(('steps', 'blamed'), [
    (['floats'], 'floats'), (['floats', 'doubled'], 'floats'), (['floats', 'whole', 'grey'], 'grey')])
def test_the_transform_that_left_no_bytes_is_named(steps, blamed):
    changes = {'floats': lambda image: image / 255, 'doubled': lambda image: image * 2, 'grey': lambda image: image[..., 0],
               'whole': lambda image: (image * 255).astype(np.uint8)}

    def make(name):
        def transform(_, results):
            return {**results, 'img': changes[name](results['img'])}
        return type(name, (), {'__call__': transform})()

    results = {**make_results(), 'img': np.full((4, 6, 3), 200, np.uint8)}
    with pytest.raises(DataError, match=rf'^an image is .* the transforms of the pipeline must leave it so, and {blamed} does'):
        run_pipeline(results, [*map(make, steps), PackGroundingInputs()])


def test_a_transform_of_words_before_the_image_is_loaded_is_not_blamed():
    class Words:
        def __call__(self, results):
            return results

    class Loads:
        def __call__(self, results):
            return {**results, 'img': np.zeros((4, 6, 3))}

    results = make_results()
    del results['img']
    with pytest.raises(DataError, match=r'and Loads does not$'):
        run_pipeline(results, [Words(), Loads(), PackGroundingInputs()])
