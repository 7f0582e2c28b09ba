"""The parts of the page that are HTML: legend, pictures of maps, messages. All text of users is escaped."""
import base64
import io
from collections.abc import Sequence
from html import escape

from PIL import Image

from mmduet.visualization.palette import RGB, colour_of, ink_on

STYLE = """
.gradio-container { max-width: 1180px !important; margin: 0 auto !important; }
.duet-title h1 { font-size: 1.6rem; margin: 0 0 .2rem; }
.duet-title p { margin: 0; color: var(--body-text-color); }
.duet-note, .duet-error { border-left: 4px solid; border-radius: 4px; padding: .6rem .8rem; margin: .3rem 0;
  background: var(--block-background-fill); color: var(--body-text-color); }
.duet-note { border-color: #0072b2; }
.duet-error { border-color: #d55e00; font-weight: 600; }
.duet-legend { list-style: none; margin: .2rem 0 0; padding: 0; color: var(--body-text-color); }
.duet-legend li { display: flex; align-items: baseline; gap: .6rem; padding: .25rem 0; overflow-wrap: anywhere; }
.duet-legend .text { flex: 1; min-width: 0; }
.duet-legend .score { font-variant-numeric: tabular-nums; white-space: nowrap; }
.duet-number { display: inline-block; min-width: 1.6em; text-align: center; border-radius: 4px; padding: 0 .3em;
  font-weight: 700; flex: none; }
.duet-maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 430px), 1fr)); gap: 1.1rem;
  margin-top: .5rem; }
.duet-maps section { min-width: 0; border: 1px solid var(--border-color-primary); border-radius: 8px; padding: .7rem;
  background: var(--block-background-fill); }
.duet-maps h3 { margin: 0 0 .5rem; font-size: 1rem; font-weight: 500; overflow-wrap: anywhere; color: var(--body-text-color); }
.duet-maps section div { display: flex; gap: .6rem; }
.duet-maps figure { margin: 0; flex: 1; min-width: 0; }
.duet-maps img { width: 100%; max-height: 420px; object-fit: contain; border-radius: 6px; display: block; }
.duet-maps figcaption { color: var(--body-text-color); padding-top: .3rem; font-size: .875rem; }
.duet-scale { display: flex; align-items: center; gap: .5rem; font-size: .85rem; color: var(--body-text-color);
  margin-top: .6rem; }
.duet-scale i { display: inline-block; width: 110px; height: 10px; border-radius: 5px;
  background: linear-gradient(90deg, #440154, #3b528b, #21918c, #5ec962, #fde725); }
.duet-help { color: var(--body-text-color); }
"""


def title(student: str, parameters: int, notice: str) -> str:
    """Heading of the page, and a sentence that everybody must see; empty for none."""
    return (f'<div class="duet-title"><h1>Find it in the picture</h1><p>Visual grounding by <b>{escape(student)}</b>, '
            f'{parameters / 1e6:.1f} million parameters: an image, an expression, a box.</p></div>'
            + (f'<div class="duet-note" role="note">{escape(notice)}</div>' if notice else ''))


def error(text: str) -> str:
    """What went wrong; read aloud by a screen reader when it comes."""
    return f'<div class="duet-error" role="alert">{escape(text)}</div>'


def unknown_words(words: Sequence[str]) -> str:
    """That a student cannot read some words; read aloud by a screen reader when it comes."""
    named = ', '.join(f'“{escape(word)}”' for word in words)
    return (f'<div class="duet-note" role="status">This student does not know {named}: it reads each as the same unknown word, '
            'and answers all the same.</div>')


def legend(rows: Sequence[tuple[str, float | None]]) -> str:
    """Number, expression and score of every box."""
    items = ''.join(
        f'<li>{_badge(number)}<span class="text">{escape(text)}</span>'
        + ('' if score is None else f'<span class="score" title="probability that the box is right">{score:.0%} sure</span>')
        + '</li>' for number, (text, score) in enumerate(rows))
    return f'<ol class="duet-legend" aria-label="boxes">{items}</ol>'


def maps(attention: Sequence[Image.Image], similarity: Sequence[Image.Image], texts: Sequence[str]) -> str:
    """For each expression where the student looked and, beside it, what the teacher finds alike."""
    if not attention and not similarity:
        return '<p class="duet-help">This student does not say where it looks.</p>'
    sections = []
    for number, text in enumerate(texts):
        figures = ''.join(
            f'<figure><img alt="{escape(f"{what}: {text}")}" src="{_data(pictures[number])}">'
            f'<figcaption>{what}</figcaption></figure>'
            for pictures, what in ((attention, 'Where the student looked'), (similarity, "The teacher's similarity"))
            if pictures)
        sections.append(f'<section><h3>{_badge(number)} {escape(text)}</h3><div>{figures}</div></section>')
    return ('<p class="duet-scale">least <i aria-hidden="true"></i> most</p>'
            f'<div class="duet-maps">{"".join(sections)}</div>')


def _badge(number: int) -> str:
    colour = colour_of(number)
    return f'<span class="duet-number" style="background:{_css(colour)};color:{_css(ink_on(colour))}">{number + 1}</span>'


def _css(colour: RGB) -> str:
    return '#{:02x}{:02x}{:02x}'.format(*colour)


def _data(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format='JPEG', quality=88)
    return f'data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}'
