"""The sentences that the code says, as templates: what is filled in when they are said stands as ``…``."""
import ast
import re
from collections.abc import Iterator
from pathlib import Path

BLANK = '…'


def templates(*folders: Path) -> set[str]:
    """Every text of the Python files below folders, with one blank for each value that is filled in."""
    return {text for folder in folders for path in folder.rglob('*.py') for text in _texts(ast.parse(path.read_text()))}


def says(sentence: str, known: set[str]) -> bool:
    """Whether a template, with something for its blanks, has the sentence in it; a blank of the sentence fits anything."""
    pieces = [piece.strip() for piece in sentence.split(BLANK) if piece.strip()]
    pattern = re.compile('.*'.join(map(re.escape, pieces)), re.DOTALL)
    return bool(pieces) and any(pattern.search(text) for text in known)


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield ''.join(part.value if isinstance(part, ast.Constant) else BLANK for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
