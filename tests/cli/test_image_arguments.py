import argparse
import zipfile
from pathlib import Path

import pytest

from mmduet.cli.image_arguments import is_image, missing_image, split_inputs
from tests.tiny_data import write_photo


@pytest.fixture(autouse=True)
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('photos/a.png', 'photos2/b.png', 'dog/c.png'):
        write_photo(tmp_path / name)
    with zipfile.ZipFile('all.zip', 'w') as archive:
        archive.write('photos/a.png')


def split(*words, named=()):
    return split_inputs(words, named)


def test_images_come_first_and_expressions_then():
    assert split('photos', 'the red ball') == (['photos'], ['the red ball'])
    assert split('example', 'an example') == (['example'], ['an example'])
    assert split('photos/a.png', 'gone.jpg', 'https://example.org/x', 'photos/*.png', 'a', 'b?') == (
        ['photos/a.png', 'gone.jpg', 'https://example.org/x', 'photos/*.png'], ['a', 'b?'])
    assert split('photos/a.png', 'odd name', named=['photos']) == (['photos/a.png', 'odd name'], ['photos'])
    assert split('dog', 'dogs', 'cat/dog on the left') == (['dog'], ['dogs', 'cat/dog on the left'])


def test_what_reads_like_a_path_is_an_image_there_or_not():
    assert all(map(is_image, ('phtos/', 'phtos/*', 'photos/my image', '/x', 'a.PNG', 'all.zip/photos/a.png', 'cat/dog')))
    assert not any(map(is_image, ('phtos', 'left / right', 'a red ball.', '3.5', 'cat/dog on the left', 'b?')))


@pytest.mark.parametrize(('words', 'message'), [
    (['phtos', 'the dog'], "no image among 'phtos', 'the dog': .*; nearest: photos"),
    (['photos', 'phtos2', 'the dog'], "'phtos2' may be an image .*; nearest: photos2; say --expression 'phtos2'"),
    (['phtos', 'photos2', 'the dog'], "'photos2' is an image, and stands after the expression 'phtos': .*; nearest: photos"),
    (['photos', 'the cat', 'dog'], "'dog' is an image, and stands after the expression 'the cat': put images first, or name"),
    (['photos', 'dog'], r"no expression: .* by --expression where its words are a path \('dog' is taken for an image\)"),
    (['photos', 'the cat', ' '], 'an expression is blank'),
    (['photos', 'the cat', '\u200b'], 'an expression is blank'),
    (['photos', 'a \udcff cat'], r"an expression is no text in UTF-8: 'a .udcff cat'")])
def test_words_that_can_be_either_are_refused(words, message):
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        split(*words)
    assert split('photos', named=['dog', 'phtos2']) == (['photos'], ['dog', 'phtos2'])


@pytest.mark.parametrize('words', ['dgo', 'photo', "photo's", 'left-photos', 'the ring ' * 40, 'ring' * 80, 'a' * 300 + '/b c'])
def test_words_are_expressions_whatever_files_are_there_and_however_long(words):
    for name in ('left-photo', "photo's2"):
        Path(name).touch()
    assert split('photos', words) == (['photos'], [words])
    assert split('phtos/', words)[0] == ['phtos/']


def test_a_path_that_is_too_long_for_a_name_is_not_there():
    name = 'a' * 300 + '.png'
    assert missing_image([name]).startswith(f'there is no image or folder {name} (')


def test_paths_that_are_not_there_are_named_with_the_nearest():
    assert missing_image(['photos', 'https://example.org/a.jpg', 'no/*.png', 'all.zip/photos/a.png', 'example']) is None
    for images, said in (('photos photos/aa.png', 'photos/aa.png; nearest: a.png'), ('phtos/', 'phtos/; nearest: photos')):
        assert missing_image(images.split()).startswith(f'there is no image or folder {said}')
    assert missing_image(['left/right']).endswith('(an expression that reads like a path goes after --expression)')
