"""Which words of a command line are images and which are expressions; a mistyped image is told, and not taken for words."""
import argparse
import glob
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mmduet.io.config_files import nearest
from mmduet.io.text import half_character, is_blank

IMAGES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff', '.gif')
_IN_WORDS = str.maketrans('', '', "-'’")
_ALIKE = 0.8  # so near to the name of a file that it may be one, mistyped


def is_image(text: str) -> bool:
    """Whether an argument names images: a URL, what is there, what ships, or what reads like a path, there or not."""
    from mmduet.apis.image_inputs import EXAMPLE
    path = Path(text)
    if text == EXAMPLE or '://' in text or _is_there(path) or path.suffix.lower() in IMAGES:
        return True
    return path.name != text and (not any(map(str.isspace, text)) or _is_there(Path(path.parts[0]), Path.is_dir))


def split_inputs(inputs: Sequence[str], expressions: Sequence[str]) -> tuple[list[str], list[str]]:
    """Images and expressions; where expressions were named, all the others are images.

    Raises:
        argparse.ArgumentTypeError: there is no image or no expression, an expression is blank, or a word can be either.
    """
    if expressions:
        images, texts = list(inputs), list(expressions)
    else:
        count = next((number for number, text in enumerate(inputs) if not is_image(text)), len(inputs))
        images, texts = list(inputs[:count]), list(inputs[count:])
        if late := next((text for text in texts if is_image(text)), None):
            raise argparse.ArgumentTypeError(f'{late!r} is an image, and stands after the expression {texts[0]!r}: put images '
                                             f'first, or name expressions by --expression{_nearest(texts[0])}')
    if not images:
        raise argparse.ArgumentTypeError(f'no image among {", ".join(map(repr, inputs))}: give a path, a folder, a pattern or '
                                         f'a URL{_nearest(inputs[0])}')
    if not texts:
        raise argparse.ArgumentTypeError('no expression: give one after the images, such as "the dog on the left", or by '
                                         f'--expression where its words are a path ({inputs[-1]!r} is taken for an image)')
    if any(map(is_blank, texts)):
        raise argparse.ArgumentTypeError('an expression is blank')
    if halves := [text for text in texts if half_character(text)]:
        raise argparse.ArgumentTypeError(f'an expression is no text in UTF-8: {halves[0]!a}')
    if not expressions:
        for text in texts:
            # A word of letters is taken for one, whatever files are there.
            if not text.translate(_IN_WORDS).isalpha() and (near := _nearest(text, images)):
                raise argparse.ArgumentTypeError(f'{text!r} may be an image that was mistyped{near}; say --expression {text!r} '
                                                 'if it is an expression')
    return images, texts


def missing_image(images: Iterable[str]) -> str | None:
    """A sentence about the first path that is not there; None where all are. URLs and what lies in archives do not count."""
    from mmduet.apis.image_inputs import EXAMPLE
    for text in images:
        path = Path(text)
        if text == EXAMPLE or '://' in text or _is_there(path) or glob.has_magic(text) or any(map(Path.is_file, path.parents)):
            continue
        return (f'there is no image or folder {text}{_nearest(text, cutoff=0.6)} (an expression that reads like a path goes '
                'after --expression)')
    return None


def _nearest(text: str, named: Iterable[str] = (), cutoff: float = _ALIKE) -> str:
    """The end of a sentence that names files like a word, but for those that were ``named``; empty for several words."""
    path = Path(text)
    if any(map(str.isspace, text)) or not _is_there(path.parent, Path.is_dir):
        return ''
    known = {Path(name).resolve() for name in named}
    try:
        return nearest(path.name, [file.name for file in path.parent.iterdir() if file.resolve() not in known], cutoff)
    except OSError:  # a folder that may be entered and not be listed
        return ''


def _is_there(path: Path, ask: Callable[[Path], bool] = Path.exists) -> bool:
    """Whether something is there; not for what is too long to be a name, as an expression may be."""
    try:
        return ask(path)
    except OSError:
        return False
