"""What can be wrong with a file; every message names the file, and the line, field or key where there are any."""


class DataError(ValueError):
    """Data on disk cannot be used as they are."""


class TruncatedFileError(DataError):
    """A file is empty, cut short or overwritten: a write was interrupted, or a copy failed."""


class AnnotationError(DataError):
    """An annotation file is missing, empty or says something impossible."""


class ImageError(DataError):
    """An image file is missing or cannot be decoded."""
