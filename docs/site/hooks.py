"""What the site does beyond MkDocs: links into the repository, and a place for every page."""
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r'(\]\()([^)\s#]+)((?:#[^)\s]*)?\))')
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


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Let a link to a file of the repository that is no page lead to the repository; one to no file stays, and is an error."""
    folder = posixpath.dirname(f'docs/{page.file.src_uri}')

    def lead(link: re.Match[str]) -> str:
        target = link[2]
        if re.match(r'[a-z]+:', target):
            return link[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        outside = not path.startswith('docs/') or path.endswith(('.py', '.ipynb', '/README.md')) or (ROOT / path).is_dir()
        if not outside or path.startswith('..') or not (ROOT / path).exists():
            return link[0]
        kind = 'tree' if (ROOT / path).is_dir() else 'blob'
        return f'{link[1]}{config["repo_url"].rstrip("/")}/{kind}/main/{path}{link[3]}'

    return ''.join(part if part.startswith('```') else _LINK.sub(lead, part) for part in _FENCE.split(markdown))


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
