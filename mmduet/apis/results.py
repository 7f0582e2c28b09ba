"""What a grounder answered: a box for an expression in an image, to be saved, shown and sent."""
import io
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, SupportsIndex, overload

from PIL import Image

from mmduet.apis.image_inputs import ImageInput
from mmduet.io.errors import ImageError
from mmduet.io.files import replacing, require_apart, write_atomically
from mmduet.visualization.answer_image import draw_answer

_OTHER_FILES = ('.jsonl', '.txt', '.csv', '.xml', '.html')
_NOTEBOOK = 1024  # long side of the picture in a notebook, pixels


@dataclass(frozen=True, slots=True)
class GroundingResult:
    """The answer to one expression.

    Attributes:
        source: path or URL of the image, or ``'array 0'`` and the like.
        expression: as it was understood, without surplus blanks.
        box: x1, y1, x2, y2 in pixels of the image, inside it; of a file or a PIL image as a viewer shows it, turned by its EXIF
            orientation.
        score: probability in [0, 1] that the box is right; None where the model has no score.
        size: width and height of the image, pixels.
        unknown_words: words of the expression that the model's vocabulary does not hold, so that it took all of them for one.
    """

    source: str
    expression: str
    box: tuple[float, float, float, float]
    score: float | None
    size: tuple[int, int]
    _image: ImageInput = field(repr=False, compare=False)
    unknown_words: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON data; ``unknown_words`` are there where there are some."""
        unknown = {'unknown_words': list(self.unknown_words)} if self.unknown_words else {}
        return {'image': self.source, 'expression': self.expression, 'box': list(self.box), 'score': self.score,
                'width': self.size[0], 'height': self.size[1], **unknown}

    def to_json(self) -> str:
        """The answer as JSON on one line."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def draw(self, longest: int | None = None) -> Image.Image:
        """The image with the box on it and the expression under it, of at most ``longest`` pixels on its long side.

        Raises:
            ImageError: its file is gone or has changed since the answer: it is read again, and not kept.
        """
        caption = self.expression if self.score is None else f'{self.expression} ({self.score:.0%})'
        return draw_answer(self._image.read(), self.box, caption, longest)

    def save(self, path: str | Path) -> Path:
        """Write the drawn image, or JSON where the path ends so; folders are made.

        Raises:
            ValueError: a suffix that is of no image format, or the path of the image itself.
            ImageError: see ``draw``.
        """
        path = Path(path)
        kind = Image.registered_extensions().get(path.suffix.lower())
        if path.suffix.lower() != '.json' and not is_drawing(path):
            raise ValueError(f'{path} must end in .json, or as an image does (.png, .jpg)')
        require_apart(path, [self.source])
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == '.json':
            write_atomically(path, self.to_json() + '\n')
        else:
            with replacing(path) as partial:
                self.draw().save(partial, format=kind)
        return path

    def show(self) -> None:
        """Open the drawn image in the system's viewer."""
        self.draw().show(title=self.expression)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.draw(_NOTEBOOK).save(buffer, format='PNG')
        return buffer.getvalue()


class GroundingResults(list[GroundingResult]):
    """Answers in the order of the images, and for each image in that of its expressions.

    Attributes:
        broken: why images were left out, where ``skip_broken`` was asked for.
    """

    def __init__(self, results: Iterable[GroundingResult] = (), broken: Iterable[ImageError] = ()) -> None:
        super().__init__(results)
        self.broken = list(broken)

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> GroundingResult: ...

    @overload
    def __getitem__(self, key: slice, /) -> 'GroundingResults': ...

    def __getitem__(self, key: Any, /) -> Any:
        """An answer; of a slice, answers."""
        found: Any = super().__getitem__(key)
        return GroundingResults(found) if isinstance(key, slice) else found

    def to_json(self) -> str:
        """A JSON list of the answers."""
        return json.dumps([result.to_dict() for result in self], ensure_ascii=False, indent=1)

    def save(self, path: str | Path) -> list[Path]:
        """Write all answers to one file where the path ends in ``.json``; otherwise drawn images, numbered, to a folder.

        One answer may be drawn to a file, as ``answer.png``.

        Raises:
            ValueError: several answers and the name of one image, or the name of a file of another kind.
            ImageError: see ``GroundingResult.draw``.
        """
        path = Path(path)
        if path.suffix.lower() == '.json':
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, self.to_json() + '\n')
            return [path]
        if is_file_name(path):
            if len(self) != 1 or not is_drawing(path):
                what = f'holds one answer, and there are {len(self)}' if is_drawing(path) else 'is neither JSON nor an image'
                raise ValueError(f'{path} {what}: name a folder, or a file that ends in .json')
            return [self[0].save(path)]
        return [result.save(path / f'{number:04d}_{_stem(result.source)}.png') for number, result in enumerate(self)]

    def show(self) -> None:
        """Open every drawn image in the system's viewer."""
        for result in self:
            result.show()


def is_drawing(path: str | Path) -> bool:
    """Whether a path is that of an image file, by its name."""
    return Image.registered_extensions().get(Path(path).suffix.lower()) in Image.SAVE


def is_file_name(path: Path) -> bool:
    """Whether a path can only be meant for a file; a folder may have a point in its name too."""
    return not path.is_dir() and (is_drawing(path) or path.suffix.lower() in _OTHER_FILES)


def _stem(source: str) -> str:
    """A plain file name of at most 60 letters."""
    name = os.path.splitext(source.rstrip('/').rpartition('/')[2].partition('?')[0])[0]  # noqa: PTH122 (a URL too)
    return ''.join(letter if letter.isalnum() or letter in '-_' else '_' for letter in name)[:60] or 'image'
