import numpy as np
import pytest
from PIL import Image

from mmduet.demo.examples import ENLARGED, SEED, SPLIT, write_examples
from mmduet.refshapes import make_example


def test_scenes_are_enlarged_and_each_has_an_expression_of_its_target(tmp_path):
    made = write_examples(tmp_path, 3)
    assert [path.name for path, _ in made] == ['shapes_1.png', 'shapes_2.png', 'shapes_3.png']
    for number, (path, texts) in enumerate(made):
        example = make_example(SEED, SPLIT, number)
        lines = texts.split('\n')
        assert lines[0] == example.expressions[0].text and 1 <= len(lines) <= 2 and len(set(lines)) == len(lines)
        pixels = np.asarray(Image.open(path))
        assert pixels.shape == (64 * ENLARGED, 64 * ENLARGED, 3)
        assert np.array_equal(pixels[::ENLARGED, ::ENLARGED], example.image)
        assert np.array_equal(pixels[ENLARGED - 1::ENLARGED, ENLARGED - 1::ENLARGED], example.image)


def test_they_are_the_same_each_time(tmp_path):
    (tmp_path / 'b').mkdir()
    first, second = write_examples(tmp_path, 2), write_examples(tmp_path / 'b', 2)
    assert [texts for _, texts in first] == [texts for _, texts in second]
    assert [path.read_bytes() for path, _ in first] == [path.read_bytes() for path, _ in second]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OSError, match='nowhere'):
        write_examples(tmp_path / 'nowhere', 1)
