"""What can be wrong with a user's data; every message names the file, and the line and field where there are any."""
from mmduet.io.errors import DataError


class AnnotationError(DataError):
    """An annotation file is missing, empty or says something impossible."""


class ImageError(DataError):
    """An image file is missing or cannot be decoded."""
