"""A headless Chromium driven through a pipe, by its DevTools protocol, without any package."""
import base64
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'chrome', 'headless_shell')
FLAGS = ('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--remote-debugging-pipe')


def find_chromium() -> str:
    """The browser's path, from ``CHROMIUM`` or the usual names; the test that asks is skipped where there is none."""
    found = os.environ.get('CHROMIUM') or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f'no Chromium: none of {", ".join(NAMES)} is installed and CHROMIUM is not set')
    return found


class Browser:
    """One page. Use as a context manager; ``problems`` collects what the console, the page and the network complain of."""

    def __init__(self, profile: Path) -> None:
        self.problems, self._number, self._rest = [], 0, b''
        to_browser, self._writing = os.pipe()
        self._reading, from_browser = os.pipe()
        command = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
        self._process = subprocess.Popen(['bash', '-c', command, find_chromium(), *FLAGS, f'--user-data-dir={profile}'],
                                         pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(to_browser)
        os.close(from_browser)
        self._session = None
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self._session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(f'{domain}.enable')

    def __enter__(self) -> 'Browser':
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._writing)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._reading)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and wait for its result."""
        self._number += 1
        message = {'id': self._number, 'method': method, 'params': parameters}
        if self._session:
            message['sessionId'] = self._session
        os.write(self._writing, json.dumps(message).encode() + b'\0')
        while (answer := self._receive()).get('id') != self._number:
            pass
        if 'error' in answer:
            raise RuntimeError(f'{method}: {answer["error"]}')
        return answer['result']

    def open(self, url: str) -> None:
        """Load a page and wait until all of it is there."""
        self.call('Page.navigate', url=url)
        while self.evaluate('document.readyState + location.href') != f'complete{url}':
            time.sleep(0.05)

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        result = self.call('Runtime.evaluate', expression=script, returnByValue=True)
        if 'exceptionDetails' in result:
            raise RuntimeError(str(result['exceptionDetails']))
        return result['result'].get('value')

    def resize(self, width: int, height: int, phone: bool = False) -> None:
        """Take the size of a window, or of a phone's screen."""
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def set_scheme(self, name: str) -> None:
        """Prefer ``'light'`` or ``'dark'``."""
        self.call('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': name}])

    def photograph(self, path: Path, top: int = 0, height: int = 1200, width: int = 1200) -> None:
        """Save a part of the page as PNG."""
        picture = self.call('Page.captureScreenshot', captureBeyondViewport=True,
                            clip={'x': 0, 'y': top, 'width': width, 'height': height, 'scale': 1})
        path.write_bytes(base64.b64decode(picture['data']))

    def _receive(self) -> dict[str, Any]:
        while b'\0' not in self._rest:
            block = os.read(self._reading, 1 << 16)
            if not block:
                raise RuntimeError('Chromium has ended')
            self._rest += block
        text, self._rest = self._rest.split(b'\0', 1)
        event = json.loads(text)
        self._note(event.get('method'), event.get('params', {}))
        return event

    def _note(self, method: str | None, parameters: dict[str, Any]) -> None:
        if method == 'Runtime.consoleAPICalled' and parameters['type'] in ('error', 'warning', 'assert'):
            self.problems.append(str(parameters['args']))
        elif method == 'Runtime.exceptionThrown':
            self.problems.append(str(parameters['exceptionDetails']))
        elif method == 'Log.entryAdded' and parameters['entry']['level'] in ('error', 'warning'):
            self.problems.append(parameters['entry']['text'])
        elif method == 'Network.loadingFailed':
            self.problems.append(str(parameters))
