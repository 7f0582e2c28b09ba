"""Ids of images, objects and expressions, as whole numbers wherever they are some."""
import re
from typing import Any

from mmduet.io.errors import DataError

_WHOLE = re.compile(r'(-?(?:0|[1-9]\d{0,17}))(?:\.0{1,6})?')


def plain_id(value: Any) -> Any:
    """An id as one value however it was written: 7, '7', 7.0 and '7.0' are 7; other text, '007' too, and other values stay.

    What went through a table (CSV, pandas) comes back as text or as fractions, while the file beside it has numbers.

    >>> [plain_id(value) for value in (7, '7', 7.0, ' 7.0', '007', 'a')]
    [7, 7, 7, 7, '007', 'a']
    """
    if isinstance(value, str):
        match = _WHOLE.fullmatch(value.strip())
        return int(match[1]) if match else value
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e18 else value


def get_id(record: Any, name: str, where: str) -> int | str:
    """The id in a field of a record.

    Raises:
        DataError: the record is no mapping, or the field is missing or no id; says where.
    """
    if not isinstance(record, dict) or name not in record:
        raise DataError(f'{where}: field {name!r} is missing')
    value = plain_id(record[name])
    if not isinstance(value, int | str) or isinstance(value, bool):
        raise DataError(f'{where}: field {name!r} must be a whole number or text, got {value!r:.60}')
    return value
