"""What the page shows for an image and its expressions, without any page."""
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from mmduet.apis.attention import Explanation, explain
from mmduet.apis.inferencer import GroundingInferencer
from mmduet.io.errors import ImageError
from mmduet.io.images import ImageArray, read_upright
from mmduet.io.text import is_blank
from mmduet.models.base_teacher import BaseTeacher
from mmduet.visualization.heat_map import draw_heat_map
from mmduet.visualization.numbered_boxes import add_legend, draw_boxes
from mmduet.visualization.palette import colour_of

MOST_EXPRESSIONS, MOST_LETTERS = 12, 500


class DemoError(ValueError):
    """What cannot be answered, in words for the page."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the page shows.

    Attributes:
        picture: the image with all boxes.
        legend: expression and score of every box, in the order of their numbers.
        attention: where the student looked, a picture for each expression; empty where it does not say.
        similarity: what the teacher finds alike, likewise; empty without a teacher.
        download: the picture with its legend under it.
        json: the answers as JSON text.
        unknown_words: words that the student's vocabulary does not hold.
    """

    picture: Image.Image
    legend: list[tuple[str, float | None]]
    attention: list[Image.Image]
    similarity: list[Image.Image]
    download: Image.Image
    json: str
    unknown_words: list[str]


class Answerer:
    """Answers expressions about one image with pictures.

    Args:
        ground: of any student.
        teacher: one that gives similarities, on the device of ``ground``; None for no such pictures.
    """

    def __init__(self, ground: GroundingInferencer, teacher: BaseTeacher | None = None) -> None:
        self.ground = ground
        self.teacher = teacher

    def __call__(self, path: str | Path | None, text: str | None, name: str | None = None) -> Answers:
        """Answer the lines of ``text`` about the image in the file ``path``, turned upright; ``name`` is what it is called.

        Raises:
            DemoError: no image or one that cannot be read, or no expression, or too many or too long ones.
        """
        expressions = read_expressions(text)
        if path is None:
            raise DemoError('Choose an image first: drop a file on the field, take an example, or paste one.')
        name = name or Path(path).name
        try:
            image = read_upright(Path(path))
        except ImageError as error:
            raise DemoError(f'This file cannot be used: {str(error).replace(str(path), name)}.') from error
        found = explain(self.ground, image, expressions, self.teacher, channel_order='rgb')
        return _show(image, found, name)


def read_expressions(text: str | None) -> list[str]:
    """The expressions of a text, one on each line; blank lines do not count.

    Raises:
        DemoError: there is none, there are too many, or one is too long.
    """
    lines = [' '.join(line.split()) for line in (text or '').splitlines()]
    expressions = [line for line in lines if not is_blank(line)]
    if not expressions:
        raise DemoError('Say what to look for: write an expression, such as "the red ball on the left".')
    if len(expressions) > MOST_EXPRESSIONS:
        raise DemoError(f'{len(expressions)} expressions are too many for one picture: {MOST_EXPRESSIONS} at most.')
    if longest := next((line for line in expressions if len(line) > MOST_LETTERS), None):
        raise DemoError(f'An expression of {len(longest)} letters is too long: {MOST_LETTERS} at most.')
    return expressions


def _show(image: ImageArray, found: Sequence[Explanation], name: str) -> Answers:
    results = [item.result for item in found]
    picture = draw_boxes(image, [result.box for result in results])
    captions = [result.expression if result.score is None else f'{result.expression} ({result.score:.0%})'
                for result in results]
    maps: dict[str, list[Image.Image]] = {'attention': [], 'similarity': []}
    for number, item in enumerate(found):
        for kind, pictures in maps.items():
            values = getattr(item, kind)
            if values is not None:
                pictures.append(draw_heat_map(image, values, item.result.box, colour_of(number)))
    content = [{**result.to_dict(), 'image': name} for result in results]
    return Answers(picture, [(result.expression, result.score) for result in results], maps['attention'], maps['similarity'],
                   add_legend(picture, captions), json.dumps(content, ensure_ascii=False, indent=1) + '\n',
                   list(dict.fromkeys(word for result in results for word in result.unknown_words)))
