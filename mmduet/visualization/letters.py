"""The letters of what is drawn."""
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont


@cache
def find_letters(size: int) -> ImageFont.FreeTypeFont:
    """Letters of so many pixels: matplotlib's DejaVu Sans Mono, or Pillow's own where there is no matplotlib.

    DejaVu's are all of one width, so that text is broken by their number.
    """
    spec = find_spec('matplotlib')  # which is not imported for the sake of a file
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / 'mpl-data/fonts/ttf/DejaVuSansMono.ttf'
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    found = ImageFont.load_default(size)
    if not isinstance(found, ImageFont.FreeTypeFont):
        raise ImportError('Pillow was built without FreeType, and so cannot draw text')
    return found
