"""The page: fields on the left, the answer on the right; on a phone one under the other. Needs gradio."""
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr

from mmduet.demo import html
from mmduet.demo.answering import Answerer, DemoError
from mmduet.demo.examples import write_examples

# Files of uploads and answers are removed after so many seconds.
KEPT_SECONDS = 3600
LARGEST_UPLOAD = '64mb'


class Photo(gr.Image):  # type: ignore[misc]
    """An image field that hands on the file as it is, so that one that is no image is named by us and not by a stack trace."""

    is_template = True  # for gradio: drawn as ``gr.Image`` is

    def preprocess(self, payload: Any) -> tuple[str, str] | None:
        """Path of the uploaded file and its name."""
        return None if payload is None or payload.path is None else (payload.path, payload.orig_name or 'the image')


def build_page(answerer: Answerer, folder: Path) -> gr.Blocks:
    """The page of an answerer; ``folder`` takes the examples and, until they are fetched, the answers."""
    student, about = answerer.ground.grounder.student, answerer.ground.grounder.description
    examples = [[str(path), text] for path, text in write_examples(folder)]

    def answer(photo: tuple[str, str] | None, text: str) -> tuple[Any, ...]:
        try:
            path, name = photo or (None, None)
            found = answerer(path, text, name)
        except DemoError as wrong:
            return html.error(str(wrong)), None, '', '', *(gr.update(value=None, visible=False), ) * 2
        texts = [expression for expression, _ in found.legend]
        here = Path(tempfile.mkdtemp(dir=folder))
        found.download.save(here / 'answer.png')
        (here / 'answer.json').write_text(found.json, encoding='utf-8')
        return ('', found.picture, html.legend(found.legend), html.maps(found.attention, found.similarity, texts),
                *(gr.update(value=str(here / name), visible=True) for name in ('answer.png', 'answer.json')))

    with gr.Blocks(title='mmduet demo', analytics_enabled=False, delete_cache=(KEPT_SECONDS, KEPT_SECONDS)) as page:
        gr.HTML(html.title(type(student).__name__, sum(value.numel() for value in student.parameters())))
        gr.HTML(html.note(about.notice), visible=bool(about.notice))
        with gr.Row(equal_height=False):
            with gr.Column(min_width=300):
                photo = Photo(label='Image', type='filepath', sources=['upload', 'clipboard', 'webcam'], height=320,
                              elem_id='photo', buttons=['fullscreen'])
                text = gr.Textbox(label='What to find, one expression on each line', lines=3, max_lines=12,
                                  elem_id='expressions', placeholder='the red ball on the left')
                button = gr.Button('Find', variant='primary', elem_id='find')
            with gr.Column(min_width=300):
                message = gr.HTML(elem_id='message')
                picture = gr.Image(label='Answer', format='png', interactive=False, height=420, elem_id='answer',
                                   buttons=['fullscreen'])
                legend = gr.HTML(elem_id='legend')
                with gr.Row():
                    files = [gr.DownloadButton(label, visible=False, elem_id=f'download_{label.lower()}', min_width=120,
                                               size='md') for label in ('Picture', 'JSON')]
        maps = gr.HTML(elem_id='maps')
        outputs = [message, picture, legend, maps, *files]
        gr.Examples(examples, [photo, text], outputs, answer, run_on_click=True, cache_examples=False, label='Examples')
        # One at a time: a model is one, and a CPU is busy with it.
        gr.on([button.click], answer, [photo, text], outputs, concurrency_limit=1, api_name='ground')
    return page


def launch(page: gr.Blocks, host: str, port: int | None, browser: bool) -> str:
    """Serve the page in the background and give its address; nothing of it is fetched from elsewhere."""
    fonts = ['system-ui', 'Segoe UI', 'Roboto', 'Helvetica', 'Arial', 'sans-serif']
    theme = gr.themes.Default(primary_hue='blue', font=fonts, font_mono=['ui-monospace', 'Consolas', 'monospace'])
    page.launch(server_name=host, server_port=port, inbrowser=browser, share=False, prevent_thread_lock=True, quiet=True,
                ssr_mode=False, max_file_size=LARGEST_UPLOAD, footer_links=[], theme=theme, css=html.STYLE, pwa=False,
                mcp_server=False, enable_monitoring=False)
    return str(page.local_url)
