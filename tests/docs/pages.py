"""What stands on a page of the documentation: files to copy, and commands to type."""
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.shared_data import ROOT

DOCS = ROOT / 'docs'
_BLOCK = re.compile(r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?[ ]*\n(?P<text>.*?)^```', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str | None
    text: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    return [Block(**match.groupdict()) for match in _BLOCK.finditer(page.read_text())]


def files(page: Path) -> dict[str, str]:
    """The files that a page shows, by the names that it gives them."""
    return {block.title: block.text for block in blocks(page) if block.title}


def commands(page: Path, program: str = 'mmduet') -> list[list[str]]:
    """The words of each command of a program in the ``bash`` blocks of a page."""
    typed = [block.text.replace('\\\n', ' ') for block in blocks(page) if block.language == 'bash']
    lines = [line for text in typed for line in text.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True)) and words[0] == program]
