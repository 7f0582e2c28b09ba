"""The part of the Hugging Face hub's HTTP interface that models travel by, in memory, on 127.0.0.1."""
import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class HubHandler(BaseHTTPRequestHandler):
    """Create a repository, take a commit, give its files."""

    protocol_version = 'HTTP/1.1'
    server: Any

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.give_file(body=False)

    def do_GET(self) -> None:
        self.give_file(body=True)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        files: dict[str, bytes] = self.server.files
        if self.path == '/api/repos/create':
            asked = json.loads(content)
            self.answer({'url': f'{self.server.url}/{asked.get("organization", "someone")}/{asked["name"]}'})
        elif '/preupload/' in self.path:
            asked = json.loads(content)['files']
            self.answer({'files': [{'path': file['path'], 'uploadMode': 'regular', 'shouldIgnore': False} for file in asked]})
        elif '/commit/' in self.path:
            name = self.path.removeprefix('/api/models/').partition('/commit/')[0]
            for line in content.decode().splitlines():
                operation = json.loads(line)
                if operation['key'] == 'file':
                    value = operation['value']
                    files[f'{name}/{value["path"]}'] = base64.b64decode(value['content'])
            self.answer({'commitUrl': f'{self.server.url}/{name}/commit/{"0" * 40}', 'commitOid': '0' * 40, 'success': True})
        else:
            self.answer({'errors': [], 'warnings': []})

    def give_file(self, body: bool) -> None:
        self.server.asked.append(self.path)
        content = self.server.files.get(self.path.lstrip('/').replace('resolve/main/', ''))
        if content is None:
            self.answer({'error': 'Entry not found'}, 404, {'X-Error-Code': 'EntryNotFound'})
            return
        self.answer(content if body else b'', headers={'ETag': f'"{hashlib.sha256(content).hexdigest()}"',
                                                       'X-Repo-Commit': '0' * 40, 'Content-Length': str(len(content))})

    def answer(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for key, value in {'Content-Length': str(len(content)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(content)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[Any]:
    """A server of this handler with its address as ``url``, ``files`` by path and the paths ``asked`` for."""
    server: Any = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    server.url, server.files, server.asked = f'http://127.0.0.1:{server.server_port}', {}, []
    thread = Thread(target=server.serve_forever, kwargs={'poll_interval': 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
