"""What is said rather than stored: configs in YAML and JSON, options, the environment, addresses, inputs."""
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np

from mmduet.apis.image_inputs import fetch_image, list_images
from mmduet.engine.config_tools import apply_options, load_config
from mmduet.io.images import read_image
from tests.hostile.case import COMMAND, MARK, Case, Harmless, content, no_files
from tests.hostile.images import encoded
from tests.hub_stand_in import serving

# --- configs that are data
YAML: dict[str, tuple[str | bytes, str | Harmless]] = {
    'a call': (f'a: !!python/object/apply:os.system ["{COMMAND}"]', r'c\.yaml'),
    'a call by a name': (f'a: !!python/name:os.{MARK}', r'c\.yaml'),
    'a module': (f'a: !!python/module:{MARK}', r'c\.yaml'), 'an object': ('a: !!python/object/new:subprocess.Popen [["true"]]',
    r'c\.yaml'),
    'an object by its state': ('a: !!python/object:argparse.Namespace {x: 1}', r'c\.yaml'),
    'a tuple of Python': ('a: !!python/tuple [1]', r'c\.yaml'),
    'a billion laughs': ('a0: &a0 [x, x]\n' + ''.join(f'a{k}: &a{k} [*a{k - 1}, *a{k - 1}]\n' for k in range(1, 40)),
    r'c\.yaml'),
    'lists 10,000 deep': ('a: ' + '[' * 10_000, r'c\.yaml'), 'an anchor in itself': ('a: &a [*a]', r'c\.yaml'),
    'no YAML': ('a: [', r'c\.yaml'),
    'no text': (b'\xff\xfe\xfd', r'c\.yaml'), 'a list': ('[1]', r'c\.yaml'), 'nothing': ('', r'c\.yaml'),
    'a number': ('5', r'c\.yaml'), 'good': ('a: 1', Harmless({'a': 1})),
    'an import': (f'custom_imports: {{imports: [{MARK}]}}', r'c\.yaml')}
JSON: dict[str, tuple[str | bytes, str | Harmless]] = {
    'lists 100,000 deep': ('{"a": ' + '[' * 100_000 + ']' * 100_000 + '}', r'c\.json'), 'no JSON': ('{', r'c\.json'),
    'a list': ('[1]', r'c\.json'), 'nothing': ('', r'c\.json'),
    'no text': (b'\xff\xfe\xfd', r'c\.json'), 'a number of 5,000 digits': ('{"a": ' + '9' * 5000 + '}', r'c\.json'),
    'good': ('{"a": 1}', Harmless({'a': 1})),
    'a base that is a program': ('{"_base_": "evil.py"}', r'c\.json'),
    'a base outside': ('{"_base_": "../../../../etc/passwd"}', r'c\.json'),
    'a base on the web': ('{"_base_": "http://127.0.0.1:9/a.py"}', r'c\.json'),
    'an import': (f'{{"custom_imports": {{"imports": ["{MARK}"]}}}}', r'c\.json'),
    'a value of a base': ('{"a": "{{_base_.x}}"}', r'c\.json')}


def _load(path: Path) -> Any:
    (path.parent / 'evil.py').write_text(f'import os\nos.mkdir({MARK!r})\n')
    (path.parent / f'{MARK}.py').write_text(f'import os\nos.mkdir({MARK!r} + "_made")\n')
    return load_config(path).to_dict()


# --- options
OPTIONS: dict[str, tuple[str, str | Harmless]] = {
    'a call': (f'work_dir=__import__("os").mkdir("{MARK}")', Harmless(f'__import__("os").mkdir("{MARK}")')),
    'no value': ('work_dir', 'takes key=value'), 'no key': ('=1', 'takes key=value'),
    'a key nobody knows': ('evil=1', "has no 'evil'"), 'brackets 100,000 deep': ('work_dir=' + '[' * 100_000,
    Harmless('[' * 100_000)),
    'minus signs 100,000 deep': ('work_dir=' + '-' * 100_000 + '1', Harmless('-' * 100_000 + '1')),
    'a number of 5,000 digits': ('work_dir=' + '9' * 5000, Harmless('9' * 5000)),
    'a power': ('work_dir=9**9**9', Harmless('9**9**9')), 'a zero byte': ('work_dir=a\0b', Harmless('a\0b')),
    'a key into text': ('work_dir.a.b=1', 'work_dir.* does not fit the config'),
    'a key of dots': ('...=1', "has no ''"), 'a lambda': ('work_dir=lambda: 1', Harmless('lambda: 1'))}


def _apply(option: str) -> Any:
    cfg = load_config('configs/transvg/transvg_refshapes.py')
    cfg.work_dir = 'here'
    apply_options(cfg, [option])
    return cfg.work_dir


# --- the environment
@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _read_with(limit: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        with _environment({'MMDUET_MAX_IMAGE_PIXELS': limit}):
            return read_image(path).shape
    return read


LIMITS: dict[str, tuple[str, str | Harmless]] = {'text': ('x', 'must be a positive whole number'),
    'nothing': ('', 'must be a positive'), 'zero': ('0', 'must be a positive'),
                                                 'below zero': ('-5', 'must be a positive'),
                                                 'a number of 5,000 digits': ('9' * 5000, 'must be a positive'),
                                                 'a fraction': ('1.5', 'must be'),
                                                 'other digits': ('٣٠٠٠', Harmless((16, 24, 3))),
                                                 'superscripts': ('²', 'must be a positive'),
                                                 'a small limit': ('100', 'has 24 x 16 pixels, more than the 100')}


# --- addresses
class Hostile(BaseHTTPRequestHandler):
    """A server that answers as nobody should."""

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        leads = {'/file': 'file:///etc/passwd', '/ftp': 'ftp://127.0.0.1/a.png', '/loop': '/loop',
            '/data': 'data:image/png;base64,AA', '/deep': '/file'}
        if self.path in leads:
            self.send_response(302)
            self.send_header('Location', leads[self.path])
            self.end_headers()
            return
        if self.path == '/headers':
            self.wfile.write(b'HTTP/1.0 200 OK\r\n' + b'A: b\r\n' * 500 + b'\r\n')
            return
        if self.path == '/nonsense':
            self.wfile.write(b'hello\r\n')
            return
        self.send_response({'/gone': 404, '/broken': 500}.get(self.path, 200))
        if self.path == '/lie':
            self.send_header('Content-Length', str(10**12))
        self.end_headers()
        try:
            while self.path == '/endless':
                self.wfile.write(bytes(1 << 16))
            self.wfile.write({'/bomb': b'P6 99999 99999 255\n', '/empty': b'', '/good': encoded('PNG'),
                '/lie': encoded('PNG')[:50]}.get(self.path, b'root:x:0:0'))
        except OSError:
            pass  # whoever asked has gone, as it should


ADDRESSES: dict[str, str | Harmless] = {
    '/file': r'cannot be fetched', '/ftp': r'cannot be fetched|neither http nor https', '/loop': 'cannot be fetched',
    '/data': 'cannot be fetched', '/deep': 'cannot be fetched',
    '/headers': 'cannot be fetched', '/nonsense': 'cannot be fetched', '/gone': 'cannot be fetched: 404',
    '/broken': 'cannot be fetched: 500', '/endless': 'has more than the',
    '/bomb': 'more than the', '/empty': 'is empty', '/text': 'is no image', '/lie': r'cannot be fetched|truncated or broken',
    '/good': Harmless((16, 24, 3))}


def _fetch(path: str) -> Any:
    with serving(Hostile) as server:
        # Of our own size, so that the endless answer costs little.
        return fetch_image(f'http://127.0.0.1:{server.server_address[1]}{path}', most=2**20).shape


INPUTS: dict[str, tuple[Any, str]] = {
    'a file URL': ('file:///etc/passwd', "scheme 'file'"), 'FTP': ('ftp://127.0.0.1/a.png', "scheme 'ftp'"),
    'data': ('data:image/png;base64,AA', "scheme 'data'"),
    'a program': ('javascript://alert(1)', "scheme 'javascript'"), 'a bucket': ('s3://bucket/a.png', "scheme 's3'"),
    'nothing': ('', 'is no path'), 'a zero byte': ('a\0.png', 'is no path'),
    'a name that is too long': ('a' * 5000 + '.png', r'too long|cannot be read'),
    'stars 2,000 deep': ('*/' * 2000 + 'a.png', 'a pattern of too many folders'),
    'a host that is none': ('http://[', r'http://\['), 'a port that is none': ('http://127.0.0.1:99999999/',
    r'cannot be fetched'), 'blanks in a URL': ('http://127.0.0.1:9/a b\r\nX: y', 'cannot be fetched'),
    'numbers that are none': (np.full((4, 4, 3), np.nan), 'must be'),
    'an array of objects': (np.array([[['a'] * 3]], dtype=object), 'must be'),
    'an array of nothing': (np.zeros((0, 5, 3), np.uint8), 'must be'),
    'an array without order': (np.zeros((2, 2, 3), np.uint8), 'does not say'), 'an empty list': ([], 'no images')}

CASES = [
    *(Case(f'YAML config: {name}', content('c.yaml', text), {'config': _load}, expected) for name, (text, expected)
    in YAML.items()),
    *(Case(f'JSON config: {name}', content('c.json', text), {'config': _load}, expected) for name, (text, expected)
    in JSON.items()),
    *(Case(f'config: {name}', maker, {'config': lambda path: load_config(path)}, r'\.json') for name, maker
    in no_files('c.json', '.json').items()),
    *(Case(f'option: {name}', lambda folder, option=option: option, {'option': _apply}, expected) for name, (option, expected)
    in OPTIONS.items()),
    *(Case(f'limit of pixels: {name}', content('a.png', encoded('PNG')), {'image': _read_with(limit)}, expected
    if isinstance(expected, Harmless) else
           rf'(MMDUET_MAX_IMAGE_PIXELS|a\.png).*{expected}') for name, (limit, expected) in LIMITS.items()),
    *(Case(f'address: {path}', lambda folder, path=path: path, {'fetch': _fetch}, expected if isinstance(expected, Harmless)
    else rf'http://127\.0\.0\.1.*({expected})')
      for path, expected in ADDRESSES.items()),
    *(Case(f'input: {name}', lambda folder, value=value: value,
    {'input': lambda value: [image.read() for image in list_images(value)]}, words)
      for name, (value, words) in INPUTS.items()),
]
