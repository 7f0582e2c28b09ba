import io
import json
import sys

import numpy as np
import onnx
import pytest
from PIL import Image

from mmduet import GroundingInferencer
from mmduet.apis import GroundingResults
from mmduet.export import OnnxGrounder
from mmduet.export.description import KEY, TOKENIZER_KEY
from mmduet.io.errors import DataError, ImageError
from tests.forking import Call, run_calls
from tests.tiny_data import write_photo

TEXTS = ['the red circle', 'the leftmost ring above the blue square', 'a ball']
BLOCKED = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'cv2', 'transformers', 'matplotlib', 'onnx', 'open_clip',
           'scipy')


@pytest.fixture(scope='module')
def eager(folder):
    return GroundingInferencer(folder, device='cpu', show_progress=False)


@pytest.fixture(scope='module')
def light(exported):
    return OnnxGrounder(exported)


def same(expected, found):
    assert type(found) is GroundingResults and len(found) == len(expected) > 0
    for one, other in zip(expected, found, strict=True):
        assert (one.source, one.expression, one.size) == (other.source, other.expression, other.size)
        assert one.unknown_words == other.unknown_words
        sides = np.array(one.size * 2)
        assert np.abs((np.array(one.box) - other.box) / sides).max() < 1e-5
        assert other.score == pytest.approx(one.score, abs=1e-5)


@pytest.mark.parametrize('suffix', ['jpg', 'png'])
def test_answers_are_those_of_the_checkpoint(eager, light, tmp_path, suffix):
    for number, (width, height) in enumerate([(200, 100), (77, 301), (64, 64), (31, 17)]):
        write_photo(tmp_path / f'{number}.{suffix}', width=width, height=height, seed=number)
    expected = eager(tmp_path, TEXTS)
    assert len({result.box for result in expected}) == 12 and len({result.score for result in expected}) == 12
    same(expected, light(tmp_path, TEXTS))
    same(eager('example', 'the wombat ring'), light('example', 'the wombat ring'))


def test_images_that_cannot_be_read_are_left_out_where_that_is_asked_for(eager, light, tmp_path):
    write_photo(tmp_path / 'a.png')
    (tmp_path / 'b.png').write_text('no image')
    expected, found = (infer(tmp_path, TEXTS, skip_broken=True) for infer in (eager, light))
    same(expected, found)
    assert list(map(str, found.broken)) == list(map(str, expected.broken)) and len(found.broken) == 1
    assert light(tmp_path / 'b.png', TEXTS, skip_broken=True) == []
    with pytest.raises(TypeError, match="batch_size must be a whole number, got 'a'"):
        light('example', TEXTS, batch_size='a')


@pytest.mark.parametrize('size', [1, 2, 4, 5, 16])
def test_images_and_expressions_keep_their_order_whatever_the_batch(eager, light, size):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (40 + 9 * k, 60, 3), dtype=np.uint8) for k in range(3)]
    rows = [TEXTS, ['a ball'], TEXTS[::-1]]
    same(eager(images, rows, channel_order='bgr'), light(images, rows, batch_size=size, channel_order='bgr'))


class Watched(OnnxGrounder):
    """Notes how many images and expressions each run of the graph is given."""

    def predict(self, images, image_index, expressions):
        self.seen.append((len(images), list(image_index)))
        return super().predict(images, image_index, expressions)


def test_an_image_is_encoded_only_where_a_batch_asks_about_it(exported):
    watched = Watched(exported)
    images = [np.zeros((40, 60, 3), np.uint8)] * 3
    for size, seen in ((2, [(1, [0, 0]), (1, [0, 0]), (1, [0, 0])]), (3, [(2, [0, 0, 1]), (2, [0, 1, 1])]),
                       (16, [(3, [0, 0, 1, 1, 2, 2])])):
        watched.seen = []
        watched(images, TEXTS[:2], batch_size=size, channel_order='rgb')
        assert watched.seen == seen


@pytest.mark.parametrize('orientation', [1, 6])
def test_a_pil_image_is_turned_by_both(eager, light, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(buffer, 'PNG', exif=exif)
    expected, of_bytes = eager(Image.open(buffer), TEXTS), eager(buffer.getvalue(), TEXTS)
    same(expected, light(Image.open(buffer), TEXTS))
    assert [result.box for result in expected] == [result.box for result in of_bytes]
    assert expected[0].size == ((60, 40) if orientation == 1 else (40, 60))


@pytest.mark.parametrize(('width', 'height'), [(1, 1), (1, 500), (500, 1), (3, 640), (2000, 20), (3000, 2500), (64, 63)])
def test_narrow_huge_and_tiny_images(eager, light, width, height):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    found = light(Image.fromarray(image), TEXTS)
    expected = eager(Image.fromarray(image), TEXTS)
    for one, other in zip(expected, found, strict=True):
        # Of content one pixel wide, rounding on the canvas is 64 times as large in the image.
        assert np.abs((np.array(one.box) - other.box) / np.array([width, height] * 2)).max() < 1e-4
        x1, y1, x2, y2 = other.box
        assert 0 <= x1 <= x2 <= width and 0 <= y1 <= y2 <= height


def test_results_are_saved_and_sent_as_those_of_the_inferencer(light, tmp_path):
    write_photo(tmp_path / 'in' / 'image.png', width=200, height=100)
    results = light(tmp_path / 'in', TEXTS)
    assert [answer['expression'] for answer in json.loads(results.to_json())] == TEXTS
    assert Image.open(results[0].save(tmp_path / 'drawn.png')).width == 320
    assert Image.open(io.BytesIO(results[0]._repr_png_())).format == 'PNG'


def test_what_is_asked_wrongly_is_named(light, folder, exported, tmp_path):
    image = np.zeros((9, 9, 3), np.uint8)
    with pytest.raises(ValueError, match='batch_size must be at least 1, got 0'):
        light(image, 'a ball', batch_size=0, channel_order='rgb')
    with pytest.raises(ValueError, match=r"expected expressions, got \['\\u200b'\]"):
        light(image, '\u200b', channel_order='rgb')
    with pytest.raises(ImageError, match=r'gone\.png'):
        light('gone.png', 'a ball')
    with pytest.raises(ValueError, match=r'onnxruntime has no provider Abacus here: it has .*CPUExecutionProvider'):
        OnnxGrounder(exported, providers=['Abacus'])
    with pytest.raises(ValueError, match='onnxruntime has no provider Abacus here'):
        OnnxGrounder(exported, providers='Abacus')
    with pytest.raises(ValueError, match='threads must be at least 1, got 0'):
        OnnxGrounder(exported, threads=0)
    with pytest.raises(FileNotFoundError, match=r'no exported model gone\.onnx'):
        OnnxGrounder('gone.onnx')
    with pytest.raises(ValueError, match=r'from mmduet\.export import OnnxGrounder'):
        GroundingInferencer(exported)
    (tmp_path / 'text.onnx').write_text('not a model')
    with pytest.raises(DataError, match=r'text\.onnx is no ONNX model that onnxruntime'):
        OnnxGrounder(tmp_path / 'text.onnx')
    assert OnnxGrounder(exported, providers=['CPUExecutionProvider'], threads=1)(image, 'a ball', channel_order='rgb')


def change(exported, path, **entries):
    """Write a copy whose metadata has other entries; None leaves one out."""
    model = onnx.load(exported)
    metadata = {entry.key: entry.value for entry in model.metadata_props} | entries
    onnx.helper.set_model_props(model, {key: value for key, value in metadata.items() if value is not None})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(('key', 'value', 'message'), [
    (KEY, None, "its metadata has no entry 'mmduet'"), (KEY, '{', 'is broken'), (KEY, '[]', 'is broken'),
    (KEY, {'format': 9}, 'has format 9'), (KEY, {'canvas_size': 0}, 'impossible sizes'),
    (KEY, {'long_side': 65}, 'impossible sizes'), (KEY, {'max_tokens': '16'}, 'impossible sizes'),
    (KEY, {'tokenizer': 'own'}, 'unknown kind'), (KEY, {'has_score': False}, 'not what its metadata say'),
    (KEY, {'tokenizer': 'hash'}, 'tokenizer_options'),
    (KEY, {'tokenizer': 'hash', 'tokenizer_options': {'first': 9, 'vocab_size': 9}}, 'impossible tokenizer_options'),
    (TOKENIZER_KEY, None, "no entry 'tokenizer'"), (TOKENIZER_KEY, '{}', 'the tokenizer in the metadata is broken')])
def test_a_file_that_says_something_else_is_refused(exported, tmp_path, key, value, message):
    if isinstance(value, dict):
        about = next(entry.value for entry in onnx.load(exported).metadata_props if entry.key == KEY)
        value = json.dumps({**json.loads(about), **value})
    with pytest.raises(DataError, match=message):
        OnnxGrounder(change(exported, tmp_path / 'other.onnx', **{key: value}))


def answer_without_pytorch(path, image, text):
    for name in [name for name in sys.modules if name.partition('.')[0] in (*BLOCKED, 'mmduet')]:
        del sys.modules[name]
    sys.modules.update(dict.fromkeys(BLOCKED))
    from mmduet.export.runtime import OnnxGrounder as Light
    results = Light(path)(image, text)
    assert not [name for name in sys.modules if name.partition('.')[0] in BLOCKED and sys.modules[name] is not None]
    results[0].save(image + '.drawn.png')
    from mmduet.cli.main import main
    sys.exit(main(['predict', image, text, '--model', path, '--json', '-']))


@pytest.mark.parametrize('suffix', ['jpg', 'png'])
def test_it_predicts_where_there_is_neither_pytorch_nor_a_host(exported, light, tmp_path, suffix):
    image = tmp_path / f'image.{suffix}'
    write_photo(image, width=90, height=70)
    finished, = run_calls([Call(answer_without_pytorch, (str(exported), str(image), TEXTS[0]))])
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)[0]['box'] == pytest.approx(light(image, TEXTS[0])[0].box, abs=1e-3)
    assert Image.open(str(image) + '.drawn.png').width == 320


def test_the_command_says_what_is_not_for_an_exported_model(exported, tmp_path, capsys):
    from mmduet.cli.main import main
    write_photo(tmp_path / 'image.png', width=90, height=70)
    question = ['predict', str(tmp_path / 'image.png'), TEXTS[0], '--model']
    for flags in (['--device', 'cuda'], ['--precision', 'bfloat16'], ['--config', 'a.py'], ['--vocabulary', 'vocab.txt']):
        assert main([*question, str(exported), *flags]) == 1
        assert 'is exported: --config, --import, --vocabulary' in capsys.readouterr().err
    assert main([*question, 'gone.onnx']) == 1
    assert 'error: there is no exported model gone.onnx' in capsys.readouterr().err
    assert main([*question, str(exported), '--out', str(tmp_path / 'new/drawn.png')]) == 0
    assert 'image.png: the red circle: ' in capsys.readouterr().out and (tmp_path / 'new/drawn.png').is_file()
