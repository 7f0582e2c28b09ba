"""Examples in docstrings stand where a reader needs them, without a heading; on the site each becomes a block of code."""
import re
from typing import Any

from griffe import Extension

_EXAMPLE = re.compile(r'^( *)>>> .*(?:\n(?! *$).*)*', re.MULTILINE)


class Examples(Extension):
    """Fence what begins with ``>>>``, up to the next blank line."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Change the docstring of a module, class, function or attribute, if it has one."""
        if obj.docstring is not None:
            obj.docstring.value = fence(obj.docstring.value)


def fence(text: str) -> str:
    """A docstring with its examples as blocks of code."""
    return _EXAMPLE.sub(lambda example: f'{example[1]}```pycon\n{example[0]}\n{example[1]}```', text)
