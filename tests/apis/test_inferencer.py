import io
import json
from inspect import Parameter, signature

import mmengine.registry as root
import numpy as np
import pytest
import torch
from PIL import Image

from mmduet.apis import GroundingInferencer
from mmduet.apis.hub import HubOptions
from mmduet.apis.inferencer import InferencerOptions
from mmduet.io.errors import ImageError
from mmduet.models.cpu.linear import CPULinear
from mmduet.models.cuda_graphs import GraphedStudent
from mmduet.models.folding import FoldedConv2d
from mmduet.registry import INFERENCERS
from tests.apis.made_checkpoint import CONFIG, write_checkpoint
from tests.models.test_cuda_graphs import Recorder
from tests.shared_data import ROOT
from tests.tiny_data import write_photo

TEXTS = ['the red circle', 'the leftmost ring']


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp('made') / 'best.pth')


@pytest.fixture(scope='module')
def ground(checkpoint):
    return GroundingInferencer(checkpoint, device='cpu')


def test_answers_are_boxes_in_pixels_of_the_image(ground, tmp_path):
    pixels = write_photo(tmp_path / 'image.png', width=200, height=100)
    assert type(ground.model.visual_proj) is CPULinear
    results = ground(tmp_path / 'image.png', TEXTS)
    assert [result.expression for result in results] == TEXTS
    assert results[0].box != results[1].box
    for result in results:
        x1, y1, x2, y2 = result.box
        assert 0 <= x1 < x2 <= 200 and 0 <= y1 < y2 <= 100
        assert (result.size, result.score) == ((200, 100), None)
    again = ground(pixels, 'the  red circle ', channel_order='rgb')[0]
    assert again.box == pytest.approx(results[0].box, abs=1e-3)
    samples = ground(pixels, TEXTS, channel_order='rgb', return_datasamples=True)
    assert samples[1].pred_instances.bboxes[0].tolist() == pytest.approx(results[1].box, abs=1e-3)


def test_images_and_expressions_keep_their_order_whatever_the_batch(ground, tmp_path):
    images = [write_photo(tmp_path / f'{number}.png', 40 + 8 * number, 40, seed=number) for number in range(3)]
    rows = [TEXTS, ['a ball'], TEXTS[::-1]]
    alone = [ground(image, row, channel_order='rgb') for image, row in zip(images, rows, strict=True)]
    expected = [result.box for results in alone for result in results]
    for size in (1, 2, 16):
        results = ground(tmp_path, rows, batch_size=size)
        assert [result.expression for result in results] == [text for row in rows for text in row]
        assert np.allclose([result.box for result in results], expected, atol=1e-3)
        assert [result.source for result in results][::2] == [str(tmp_path / f'{number}.png') for number in (0, 1, 2)]


@pytest.mark.parametrize(('width', 'height'), [(1, 1), (1, 500), (500, 1), (3, 640), (2000, 20), (5000, 4000), (64, 63)])
def test_narrow_huge_and_tiny_images_have_boxes_inside(ground, width, height):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    result = ground(image, 'the red circle', channel_order='rgb')[0]
    x1, y1, x2, y2 = result.box
    assert 0 <= x1 <= x2 <= width and 0 <= y1 <= y2 <= height
    assert Image.open(io.BytesIO(result._repr_png_())).width >= 320


@pytest.mark.parametrize('native', [True, False])
@pytest.mark.parametrize('precision', ['bfloat16', 'float16', 'auto'])
def test_half_precision_moves_a_box_by_little(ground, checkpoint, precision, native, monkeypatch):
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: {'avx512_bf16': native}, raising=False)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    half = GroundingInferencer(checkpoint, device='cpu', precision=precision)
    boxes = [infer(image, TEXTS[0], channel_order='rgb')[0].box for infer in (ground, half)]
    assert boxes[0] == pytest.approx(boxes[1], abs=1.0)
    assert (boxes[0] == boxes[1]) == (precision == 'auto' and not native)


def test_results_are_saved_shown_in_a_notebook_and_sent(ground, tmp_path):
    write_photo(tmp_path / 'in' / 'image.png', width=200, height=100)
    results = ground(tmp_path / 'in', TEXTS)
    result = results[0]
    assert json.loads(result.to_json()) == {'image': str(tmp_path / 'in/image.png'), 'expression': TEXTS[0],
                                            'box': list(result.box), 'score': None, 'width': 200, 'height': 100}
    assert [answer['expression'] for answer in json.loads(results.to_json())] == TEXTS
    drawn = np.asarray(Image.open(result.save(tmp_path / 'new/drawn.png')))
    assert drawn.shape[1] == 320
    rows, columns = np.nonzero((drawn == [225, 30, 30]).all(axis=2))
    edges = [columns.min() - 60, rows.min(), columns.max() - 60, rows.max()]
    assert edges == pytest.approx(result.box, abs=1.6)
    assert Image.open(io.BytesIO(result._repr_png_())).format == 'PNG'
    assert [path.name for path in results.save(tmp_path / 'all')] == ['0000_image.png', '0001_image.png']
    assert json.loads(results.save(tmp_path / 'all.json')[0].read_text()) == [answer.to_dict() for answer in results]
    assert json.loads(result.save(tmp_path / 'one.json').read_text()) == result.to_dict()
    with pytest.raises(ValueError, match=r'must end in \.json, or as an image does'):
        result.save(tmp_path / 'drawn.mp3')
    as_of_the_host = ground.postprocess(results, ground.visualize([], results), out=tmp_path / 'host.json')
    assert as_of_the_host['predictions'] == [answer.to_dict() for answer in results]
    assert as_of_the_host['visualization'][0].shape == drawn.shape


def test_bad_input_is_named(ground, checkpoint, tmp_path):
    with pytest.raises(ValueError, match=r"expected expressions, got \['dog', ' '\]"):
        ground(np.zeros((10, 10, 3), np.uint8), ['dog', ' '], channel_order='rgb')
    with pytest.raises(ImageError, match=r'gone\.png'):
        ground(tmp_path / 'gone.png', 'dog')
    for size, kind, message in ((0, ValueError, 'at least 1, got 0'), (-1, ValueError, 'at least 1, got -1'),
                                ('a', TypeError, "a whole number, got 'a'"), (1.5, TypeError, 'a whole number, got 1.5'),
                                (True, TypeError, 'a whole number, got True')):
        with pytest.raises(kind, match=f'batch_size must be {message}'):
            ground('example', 'dog', batch_size=size)
    assert len(ground('example', 'dog', batch_size=np.int64(3))) == 1
    with pytest.raises(ValueError, match=r'precision must be one of .*, got 8'):
        GroundingInferencer(checkpoint, precision=8)
    with pytest.raises(ValueError, match='a config without weights'):
        GroundingInferencer(CONFIG)


def test_images_that_cannot_be_read_are_left_out_where_that_is_asked_for(ground, tmp_path):
    for name in 'ac':
        write_photo(tmp_path / f'{name}.png')
    (tmp_path / 'b.png').write_text('no image')
    with pytest.raises(ImageError, match=r'b\.png is no image'):
        ground(tmp_path, TEXTS)
    for size in (1, 16):
        results = ground(tmp_path, TEXTS, batch_size=size, skip_broken=True)
        assert [result.source[-5:] for result in results] == ['a.png', 'a.png', 'c.png', 'c.png']
        assert [str(error).partition(' is ')[0] for error in results.broken] == [str(tmp_path / 'b.png')]
    nothing = ground(tmp_path / 'b.png', TEXTS, skip_broken=True)
    assert nothing == [] and len(nothing.broken) == 1 and ground('example', 'dog').broken == []
    with pytest.raises(ValueError, match='skip_broken is of results'):
        ground(tmp_path, TEXTS, return_datasamples=True, skip_broken=True)


def test_what_the_host_promises_of_an_inferencer_holds(ground, tmp_path):
    for name in 'ab':
        write_photo(tmp_path / f'{name}.png')
    batches = list(ground.preprocess(tmp_path, 3, expressions=TEXTS))
    samples = [sample for batch in batches for sample in ground.forward(batch)]
    assert len(batches) == 2
    assert [sample.pred_instances.bboxes[0].tolist() for sample in samples] == [
        pytest.approx(result.box, abs=1e-3) for result in ground(tmp_path, TEXTS)]
    with pytest.raises(ValueError, match=r'expected expressions, got'):
        next(ground.preprocess(tmp_path))
    assert ground.list_models() == GroundingInferencer.list_models('mmdet', 't.y') == ['toy']
    assert GroundingInferencer.list_models(patterns='yolo') == []


def test_a_config_and_weights_do_as_in_mmengine_and_the_registry_finds_it(checkpoint, ground):
    image = np.full((64, 64, 3), 90, np.uint8)
    built = INFERENCERS.build(dict(type='GroundingInferencer', model=str(ROOT / CONFIG), weights=checkpoint, device='cpu'))
    assert root.INFERENCERS.get('mmduet.GroundingInferencer') is GroundingInferencer
    assert built(image, TEXTS[0], channel_order='rgb')[0].box == ground(image, TEXTS[0], channel_order='rgb')[0].box


def test_both_ways_to_make_one_take_the_same_arguments():
    arguments = {name: each.annotation for name, each in signature(GroundingInferencer).parameters.items()
                 if name != 'model' and each.kind is not Parameter.VAR_KEYWORD}
    assert {**HubOptions.__annotations__, **arguments} == InferencerOptions.__annotations__


def test_cuda_graphs_are_refused_on_another_device_and_answer_as_without_where_a_recorder_is(ground, checkpoint, tmp_path):
    with pytest.raises(ValueError, match=r'CUDA graphs need a CUDA device, and the model is on cpu'):
        GroundingInferencer(checkpoint, device='cpu', cuda_graphs=True)
    graphed, recorder = GroundingInferencer(checkpoint, device='cpu'), Recorder()
    graphed._graphed = GraphedStudent(graphed.model, recorder)
    images = [write_photo(tmp_path / f'{number}.png', 48 + 8 * number, 40, seed=number) for number in range(2)]
    for image in images:
        expected, found = (infer(image, TEXTS, channel_order='rgb') for infer in (ground, graphed))
        assert [result.box for result in found] == [pytest.approx(result.box, abs=1e-3) for result in expected]
    assert (recorder.recorded, recorder.replayed) == (1, 2)


def test_products_with_frozen_norms_are_made_once(ground):
    folded = [part for part in ground.model.modules() if type(part) is FoldedConv2d]
    assert all(part.keeps_product for part in folded)
