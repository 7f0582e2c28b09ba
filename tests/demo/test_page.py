"""The page in a real browser."""
import json
import os
import resource
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

from mmduet.cli import demo
from mmduet.refshapes import make_example
from tests.browser import find_chromium
from tests.limits import limited

gradio = pytest.importorskip('gradio', reason="gradio is not installed: pip install 'mmduet[demo]'")
playwright = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')

from mmduet.demo.page import KEPT_SECONDS, SWEEP_SECONDS, remove_old_answers  # noqa: E402 (needs gradio)

TEXTS = 'the circle\nthe green sign above the green rhombus'
# Text and what is behind it: the least contrast of WCAG 2 among elements that show text of their own.
CONTRAST = """() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const linear = value => value <= .03928 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4;
  const light = colour => { const [r, g, b] = colour.slice(0, 3).map(value => linear(value / 255));
                            return .2126 * r + .7152 * g + .0722 * b; };
  const behind = node => { for (; node; node = node.parentElement) {
                             const colour = parse(getComputedStyle(node).backgroundColor);
                             if (colour.length < 4 || colour[3] > .5) return colour; }
                           return [255, 255, 255]; };
  const kinds = 'h1, p, h3, figcaption, label span, button, textarea, .text, .score, .duet-number, .duet-note, .duet-error';
  return Array.from(document.querySelectorAll(kinds))
    .filter(node => (node.innerText?.trim() || node.value) && node.checkVisibility())
    .map(node => { const pair = [parse(getComputedStyle(node).color), behind(node)].map(light).sort((x, y) => x - y);
                   return [(pair[1] + .05) / (pair[0] + .05), node.tagName + ': ' + (node.innerText || node.value)]; })
    .sort((x, y) => x[0] - y[0])[0];
}"""


@pytest.fixture(scope='module')
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp('demo')
    with pytest.MonkeyPatch.context() as patch:
        for name in ('NO_PROXY', 'no_proxy', 'GRADIO_ANALYTICS_ENABLED', 'GRADIO_TEMP_DIR'):
            patch.setenv(name, '')
        yield demo.serve(demo.parse_args(['--no-browser', '--device', 'cpu']), folder)
        gradio.close_all(verbose=False)


@pytest.fixture(scope='module')
def browser():
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=find_chromium(), args=['--no-sandbox'])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser, address):
    requests, pages = [], []

    def open_at(width, theme):
        page = browser.new_page(viewport={'width': width, 'height': 800}, accept_downloads=True)
        page.set_default_timeout(0)  # a slow machine is no fault
        page.on('request', lambda request: requests.append(request.url))
        page.on('pageerror', lambda error: requests.append(f'error: {error}'))
        page.goto(f'{address}?__theme={theme}')
        page.wait_for_selector('#find')
        pages.append(page)
        return page

    yield open_at
    for page in pages:
        page.close()
    assert requests and {urlsplit(url).hostname for url in requests if not url.startswith(('data:', 'blob:'))} == {'127.0.0.1'}


def is_legible(page, width):
    worst, where = page.evaluate(CONTRAST)
    assert worst >= 4.5, where
    assert page.evaluate('document.documentElement.scrollWidth') <= width


@pytest.mark.parametrize(('width', 'theme'), [(390, 'dark'), (1280, 'light')])
def test_an_uploaded_image_and_two_expressions_give_two_boxes_and_downloads(open_page, tmp_path, width, theme):
    Image.fromarray(make_example(2026, 'val', 0).image).resize((320, 320)).save(tmp_path / 'mine.png')
    page = open_page(width, theme)
    assert 'A toy' in page.locator('[role=note]').inner_text()
    page.locator('#photo input[type=file]').set_input_files(tmp_path / 'mine.png')
    page.wait_for_selector('#photo img')
    page.locator('#expressions textarea').fill(TEXTS)
    page.locator('#find').click()
    page.wait_for_selector('#maps img')
    assert page.locator('#legend li').count() == 2
    assert all('% sure' in text for text in page.locator('#legend li').all_inner_texts())
    assert [image.get_attribute('alt').partition(':')[0] for image in page.locator('#maps img').all()] == [
        'Where the student looked', "The teacher's similarity"] * 2
    page.wait_for_selector('#answer img')
    is_legible(page, width)
    with page.expect_download() as waiting:
        page.locator('#download_json').click()
    answers = json.loads(Path(waiting.value.path()).read_text())
    assert [answer['expression'] for answer in answers] == TEXTS.splitlines()
    assert [(answer['image'], answer['width']) for answer in answers] == [('mine.png', 320)] * 2
    with page.expect_download() as waiting:
        page.locator('#download_picture').click()
    assert Image.open(waiting.value.path()).width == 640
    page.screenshot(path=tmp_path / 'page.png', full_page=True)


@pytest.mark.parametrize(('width', 'theme'), [(390, 'light'), (1280, 'dark')])
def test_an_example_answers_at_once_and_errors_are_words_on_the_page(open_page, tmp_path, width, theme):
    page = open_page(width, theme)
    page.locator('#find').click()
    page.wait_for_selector('[role=alert]')
    assert 'write an expression' in page.locator('[role=alert]').inner_text()
    is_legible(page, width)
    page.locator('#examples button').first.click()
    page.wait_for_selector('#maps img')
    assert page.locator('[role=alert]').count() == 0 and page.locator('#legend li').count() == 2
    is_legible(page, width)
    (tmp_path / 'broken.png').write_text('no image')
    page = open_page(width, theme)
    page.locator('#expressions textarea').fill('the ring')
    page.locator('#photo input[type=file]').set_input_files(tmp_path / 'broken.png')
    page.wait_for_selector('#photo img')
    page.locator('#find').click()
    page.wait_for_selector('[role=alert]')
    assert 'broken.png is no image' in page.locator('[role=alert]').inner_text()
    assert page.locator('#legend li').count() == 0


def test_a_port_that_is_taken_and_a_model_that_is_not_there_are_named(address, tmp_path, capsys):
    port = str(urlsplit(address).port)
    assert demo.main(['--no-browser', '--port', port]) == 1
    assert f'error: cannot serve at 127.0.0.1:{port}: ' in capsys.readouterr().err
    assert demo.main(['--no-browser', '--model', str(tmp_path / 'gone.pth')]) == 1
    assert 'error: there is no checkpoint or folder' in capsys.readouterr().err


def test_a_disk_that_takes_no_answer_is_said_on_the_page(tmp_path):
    from mmduet.apis import GroundingInferencer
    from mmduet.demo import Answerer
    from mmduet.demo.examples import write_examples
    from mmduet.demo.page import _fill
    answerer = Answerer(GroundingInferencer('toy', device='cpu', show_progress=False))
    (path, text), *_ = write_examples(tmp_path, 1)
    message, picture, *_, download = _fill(answerer, tmp_path, path, text, None)
    assert picture is not None and not message['visible'] and download['value'].endswith('answer.json')
    message, picture, *_ = _fill(answerer, tmp_path, path, 'the narwhal', None)
    assert picture is not None and message['visible'] and 'does not know “narwhal”' in message['value']
    with limited(resource.RLIMIT_FSIZE, 100):
        message, picture, *_, download = _fill(answerer, tmp_path, path, text, None)
    assert 'answer.png cannot be written: it would be larger than files may be here' in message['value']
    assert message['visible'] and picture is None and not download['visible']


def test_answers_are_removed_before_they_are_an_hour_old_and_nothing_else_is(tmp_path):
    old, new, example = (tmp_path / name for name in ('answer_old', 'answer_new', 'example.png'))
    for path in (old, new):
        path.mkdir()
        (path / 'answer.png').write_bytes(b'1')
    example.write_bytes(b'1')
    for path, age in ((old, KEPT_SECONDS), (new, KEPT_SECONDS - 1), (example, 10 * KEPT_SECONDS)):
        os.utime(path, (1e9 - age, 1e9 - age))
    remove_old_answers(tmp_path, 1e9)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['answer_new', 'example.png']
    assert SWEEP_SECONDS + KEPT_SECONDS == 3600
