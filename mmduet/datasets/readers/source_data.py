"""What every reader of an official layout returns."""
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmduet.datasets.annotation_file import Annotation, Box


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceImage:
    """An image that a source speaks of.

    Attributes:
        width, height: pixels, as the source has them.
        file_names: names the file may go by, the likeliest first.
        boxes: corners of every annotated object, the referred ones among them.
        categories: class name of each box.
    """

    width: int
    height: int
    file_names: tuple[str, ...]
    boxes: list[Box] = field(default_factory=list)
    categories: list[str | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceData:
    """Everything an official source says, before anybody looked for its images.

    Attributes:
        images: by image id.
        annotations: one per expression; ``image`` is only the likeliest file name.
        blank: a sentence for each expression without words, which has nothing to ground.
        files: the files that were read.
        about: what else the source says of itself, for the manifest; plain values.
    """

    images: dict[int | str, SourceImage]
    annotations: list[Annotation]
    blank: list[str]
    files: list[Path]
    about: Mapping[str, object] = field(default_factory=dict)
