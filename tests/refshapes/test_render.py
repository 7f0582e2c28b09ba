import numpy as np
import pytest

from mmduet.refshapes.render import render
from mmduet.refshapes.scene import COLOURS, SHAPES, Part, Scene, SceneObject


@pytest.mark.parametrize('size', [64, 256])
@pytest.mark.parametrize('shape', SHAPES)
def test_the_box_of_a_shape_is_tight(shape, size):
    scene = Scene((SceneObject(shape, 'blue', 'big', 500, 420, 180), ), 0)
    image = render(np.random.default_rng(0), scene, size).astype(int)
    # The background is at least 173 in every channel, the blue of a shape at most 250 in one and 110 in the red one.
    rows, columns = np.nonzero(image[:, :, 0] < 135)
    drawn = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    # The tip of a triangle or a star is thinner than a pixel.
    assert np.abs(np.array(drawn) - scene.boxes(size)[0]).max() <= (2.1 if size == 64 else 3.1)


@pytest.mark.parametrize('colour', COLOURS)
def test_a_shape_has_its_colour(colour):
    scene = Scene((SceneObject('square', colour, 'big', 512, 512, 160), ), 0)
    image = render(np.random.default_rng(1), scene)
    assert np.abs(image[26:38, 26:38].reshape(-1, 3).mean(0) - COLOURS[colour]).max() <= 20


def test_later_objects_cover_earlier_ones():
    first, second = SceneObject('square', 'red', 'big', 512, 512, 160), SceneObject('square', 'blue', 'big', 512, 512, 160)
    image = render(np.random.default_rng(0), Scene((first, second), 0))
    assert image[32, 32, 2] > 150 > image[32, 32, 0]


@pytest.mark.parametrize('size', [64, 256])
@pytest.mark.parametrize('stretch', [66, 132])
@pytest.mark.parametrize('shape', SHAPES)
def test_the_box_of_a_stretched_shape_is_tight(shape, stretch, size):
    scene = Scene((SceneObject(shape, 'blue', 'big', 500, 520, 260, stretch=stretch), ), 0)
    rows, columns = np.nonzero(render(np.random.default_rng(0), scene, size)[:, :, 0] < 135)
    drawn = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(np.array(drawn) - scene.boxes(size)[0]).max() <= (2.1 if size == 64 else 3.6)


def test_parts_lie_on_top_of_all_bodies():
    part = Part('square', 'red', 512, 400, 60)
    first = SceneObject('square', 'blue', 'big', 512, 512, 140, part=part)
    image = render(np.random.default_rng(0), Scene((first, SceneObject('square', 'green', 'big', 512, 400, 160)), 0))
    assert image[25, 32, 0] > 150 > image[25, 32, 1]
    assert image[17, 32, 1] > 120 > image[17, 32, 0]


def test_a_textured_ground_varies_and_stays_pale():
    plain, textured = (render(np.random.default_rng(0), Scene((), 0), 64, kind).astype(int) for kind in (False, True))
    assert plain.std(axis=(0, 1)).max() < 10 < textured.std(axis=(0, 1)).min()
    assert textured.mean(axis=(0, 1)).min() > 140
    assert textured.min() > 185 - 60 - 13


def test_a_tiny_image_is_refused():
    with pytest.raises(ValueError, match='at least 16 pixels'):
        render(np.random.default_rng(0), Scene((), 0), 8)
