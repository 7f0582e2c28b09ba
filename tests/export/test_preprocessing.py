import numpy as np
import pytest

from mmduet.datasets import PlaceOnCanvas, ResizeLongSide
from mmduet.export.preprocessing import place_image

SHAPES = [(1, 1), (1, 700), (700, 1), (2, 3), (3, 2), (63, 64), (64, 64), (65, 64), (97, 31), (640, 480), (479, 641), (5, 1999),
          (1201, 1600)]


@pytest.mark.parametrize('shape', SHAPES, ids=str)
@pytest.mark.parametrize(('size', 'side'), [(64, 64), (65, 64), (640, 640), (224, 160)])
def test_a_canvas_is_that_of_the_test_pipeline_bit_by_bit(shape, size, side):
    image = np.random.default_rng(sum(shape)).integers(0, 256, (*shape, 3), dtype=np.uint8)
    results = {'img': image, 'image_shape': shape, 'img_path': 'a.png'}
    results = PlaceOnCanvas(size).transform(ResizeLongSide([side]).transform(results))
    canvas, resized = results['canvas'], results['img']
    placed = place_image(image, size, side)
    assert placed.content.tolist() == [canvas.left, canvas.top, canvas.left + canvas.width, canvas.top + canvas.height]
    expected = np.zeros((size, size, 3), np.uint8)
    expected[canvas.top:canvas.top + canvas.height, canvas.left:canvas.left + canvas.width] = resized
    assert placed.canvas.dtype == np.uint8 and np.array_equal(placed.canvas, expected)


def test_a_view_that_is_not_contiguous_gives_the_same():
    image = np.random.default_rng(0).integers(0, 256, (90, 50, 3), dtype=np.uint8)
    assert np.array_equal(place_image(image[:, ::-1], 64, 64).canvas, place_image(image[:, ::-1].copy(), 64, 64).canvas)
