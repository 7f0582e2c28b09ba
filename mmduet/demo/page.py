"""The page: fields on the left, the answer on the right; on a phone one under the other. Needs gradio."""
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import gradio as gr

from mmduet.demo import html
from mmduet.demo.answering import Answerer, DemoError
from mmduet.demo.examples import write_examples
from mmduet.io.failures import describe_failure
from mmduet.io.files import naming, write_anew

# Files of uploads and answers are removed after an hour at most: so often they are looked at, and from this age on they go.
SWEEP_SECONDS = 300
KEPT_SECONDS = 3600 - SWEEP_SECONDS
ANSWER = 'answer_'
LARGEST_UPLOAD = '64mb'


def _keep_file(payload: Any) -> tuple[str, str] | None:
    """Path of an uploaded file and its name; what is no image is named by us, where gradio would show a stack trace."""
    return None if payload is None or payload.path is None else (payload.path, payload.orig_name or 'the image')


def build_page(answerer: Answerer, folder: Path) -> gr.Blocks:
    """The page of an answerer; ``folder`` takes the examples and, until they are fetched, the answers."""
    student, about = answerer.ground.grounder.student, answerer.ground.grounder.description
    examples = write_examples(folder)

    def answer(photo: tuple[str, str] | None, text: str) -> tuple[Any, ...]:
        path, name = photo or (None, None)
        return _fill(answerer, folder, path, text, name)

    def take(number: int) -> tuple[Any, ...]:
        path, text = examples[number]
        return str(path), text, *_fill(answerer, folder, path, text, path.name)

    with gr.Blocks(title='mmduet demo', analytics_enabled=False, delete_cache=(SWEEP_SECONDS, KEPT_SECONDS)) as page:
        parameters = sum(value.numel() for value in student.parameters())
        gr.HTML(html.title(type(student).__name__, parameters, about.notice))
        with gr.Row(equal_height=False):
            with gr.Column(min_width=300):
                photo = gr.Image(label='Image', type='filepath', sources=['upload', 'clipboard', 'webcam'], height=300,
                                 elem_id='photo', buttons=['fullscreen'])
                photo.preprocess = _keep_file  # type: ignore[method-assign, assignment]
                text = gr.Textbox(label='What to find, one expression on each line', lines=2, max_lines=12,
                                  elem_id='expressions', placeholder='the red ball on the left')
                button = gr.Button('Find', variant='primary', elem_id='find')
                gallery = gr.Dataset(components=[gr.Image(visible=False)], samples=[[str(path)] for path, _ in examples],
                                     label='Or take an example', type='index', layout='gallery', elem_id='examples')
            with gr.Column(min_width=300):
                message = gr.HTML(elem_id='message', visible=False)
                picture = gr.Image(label='Answer', format='png', interactive=False, elem_id='answer', buttons=['fullscreen'])
                legend = gr.HTML(elem_id='legend', visible=False)
                with gr.Row():
                    files = [gr.DownloadButton(f'Download {label}', visible=False, elem_id=f'download_{label.lower()}',
                                               min_width=120, size='md') for label in ('picture', 'JSON')]
        maps = gr.HTML(elem_id='maps', visible=False)
        outputs = [message, picture, legend, maps, *files]
        # One at a time: a model is one, and a CPU is busy with it.
        gallery.click(take, [gallery], [photo, text, *outputs], concurrency_limit=1, concurrency_id='model',
                      api_visibility='private')
        button.click(answer, [photo, text], outputs, concurrency_limit=1, concurrency_id='model', api_name='ground')
    return page


def _fill(answerer: Answerer, folder: Path, path: str | Path | None, text: str, name: str | None) -> tuple[Any, ...]:
    """What stands in message, picture, legend and maps, and behind both downloads."""
    hidden = gr.update(value=None, visible=False)
    try:
        found = answerer(path, text, name)
        here = Path(tempfile.mkdtemp(prefix=ANSWER, dir=folder))
        with naming(here / 'answer.png'):
            found.download.save(here / 'answer.png')
        write_anew(here / 'answer.json', found.json.encode())
    except (DemoError, OSError) as wrong:
        said = describe_failure(wrong) or str(wrong)
        return gr.update(value=html.error(said), visible=True), None, *(hidden, ) * 4
    shown = (html.legend(found.legend), html.maps(found.attention, found.similarity, [words for words, _ in found.legend]),
             str(here / 'answer.png'), str(here / 'answer.json'))
    note = gr.update(value=html.unknown_words(found.unknown_words), visible=True) if found.unknown_words else hidden
    return note, found.picture, *(gr.update(value=value, visible=True) for value in shown)


def remove_old_answers(folder: Path, now: float) -> None:
    """Remove what answers left in ``folder``, of which gradio keeps copies of its own, if it is old at the time ``now``."""
    for path in folder.glob(f'{ANSWER}*'):
        if now - path.stat().st_mtime >= KEPT_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def keep_removing(folder: Path) -> None:
    """Remove old answers in the background, as long as the program runs."""
    def sweep() -> None:
        while True:
            time.sleep(SWEEP_SECONDS)
            remove_old_answers(folder, time.time())

    threading.Thread(target=sweep, daemon=True).start()


def launch(page: gr.Blocks, host: str, port: int | None, browser: bool) -> str:
    """Serve the page in the background and give its address; nothing of it is fetched from elsewhere."""
    fonts = ['system-ui', 'Segoe UI', 'Roboto', 'Helvetica', 'Arial', 'sans-serif']
    blue = gr.themes.colors.blue
    # White letters can be read on all that is of this blue, whatever state a button is in; on gradio's own they cannot.
    shades = {f'c{number}': getattr(blue, f'c{number}') for number in (50, *range(100, 1000, 100), 950)}
    dark = gr.themes.Color(**{**shades, 'c500': blue.c700, 'c600': blue.c700}, name='dark_blue')
    theme = gr.themes.Default(primary_hue=dark, font=fonts, font_mono=['ui-monospace', 'Consolas', 'monospace'])
    page.launch(server_name=host, server_port=port, inbrowser=browser, share=False, prevent_thread_lock=True, quiet=True,
                ssr_mode=False, max_file_size=LARGEST_UPLOAD, footer_links=[], theme=theme, css=html.STYLE, pwa=False,
                mcp_server=False, enable_monitoring=False)
    return str(page.local_url)
