"""What the site does beyond MkDocs: links into the repository, and a place for every page."""
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r'(?<!!)(\[[^\]]*\]\()([^)\s#]+)((?:#[^)\s]*)?\))')
_PICTURE = re.compile(r'!\[[^\]]*\]\(([^)\s]+)\)')
PICTURES = 'from_repository'
_FENCE = re.compile(r'^(```.*?^```[ ]*$)', re.MULTILINE | re.DOTALL)


def on_config(config: Any) -> Any:
    """Leave out entries of the navigation without a page, and add pages without an entry, so that none is lost."""
    docs = Path(config['docs_dir'])
    named: set[str] = set()
    nav = _existing(config['nav'], docs, named)
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob('*.md')}
    rest = sorted(page for page in pages - named if not page.startswith(('photos/', 'site/')))
    config['nav'] = [*nav, {'More': rest}] if rest else nav
    return config


def on_files(files: Any, config: Any) -> Any:
    """Take the pictures along that pages show from elsewhere in the repository, so that the site needs no network."""
    from mkdocs.structure.files import File
    for page in list(files.documentation_pages()):
        for target in _PICTURE.findall(page.content_string):
            path = _in_repository(page.src_uri, target)
            if path and (ROOT / path).is_file() and files.get_file_from_path(f'{PICTURES}/{path}') is None:
                files.append(File.generated(config, f'{PICTURES}/{path}', abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Let a link to a file of the repository that is no page lead there; one to no file stays, and is an error.

    The page of the commands gets what their parsers say.
    """
    if page.file.src_uri == 'commands.md':
        sys.path.insert(0, str(Path(__file__).parent))
        from command_reference import reference
        markdown += '\n\n' + reference()

    def show(picture: re.Match[str]) -> str:
        path = _in_repository(page.file.src_uri, picture[1])
        up = '../' * page.file.src_uri.count('/')
        return picture[0].replace(picture[1], f'{up}{PICTURES}/{path}') if path else picture[0]

    def lead(link: re.Match[str]) -> str:
        path = _in_repository(page.file.src_uri, link[2])
        if not path or not (ROOT / path).exists():
            return link[0]
        path = (ROOT / path).resolve().relative_to(ROOT).as_posix()  # GitHub follows no links in an address
        kind = 'tree' if (ROOT / path).is_dir() else 'blob'
        return f'{link[1]}{config["extra"]["repository"]}/{kind}/main/{path}{link[3]}'

    markdown = ''.join(part if part.startswith('```') else _PICTURE.sub(show, part) for part in _FENCE.split(markdown))
    return ''.join(part if part.startswith('```') else _LINK.sub(lead, part) for part in _FENCE.split(markdown))


def _in_repository(page: str, target: str) -> str | None:
    """The path in the repository that a link of a page leads to; None where it stays in the site or leads elsewhere."""
    if re.match(r'[a-z]+:', target):
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(f'docs/{page}'), target))
    outside = not path.startswith('docs/') or path.endswith(('.py', '.ipynb', '/README.md')) or (ROOT / path).is_dir()
    return path if outside and not path.startswith('..') else None


def _existing(entries: list[Any], docs: Path, named: set[str]) -> list[Any]:
    kept: list[Any] = []
    for entry in entries:
        title, target = next(iter(entry.items())) if isinstance(entry, dict) else (None, entry)
        if isinstance(target, list):
            if inner := _existing(target, docs, named):
                kept.append({title: inner})
        elif (docs / target).is_file():
            named.add(target)
            kept.append(entry)
    return kept
