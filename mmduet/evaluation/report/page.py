"""The page: one file of HTML without scripts, whose pictures are inside it."""
from collections.abc import Sequence
from html import escape
from typing import Any

from mmduet import __version__
from mmduet.evaluation.report import sections
from mmduet.evaluation.report.gallery import Album, Group, draw_card
from mmduet.evaluation.report.style import STYLE
from mmduet.evaluation.report.summary import Summary

# Nothing is fetched and nothing runs, whatever a file of predictions says.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def draw_page(summary: Summary, groups: Sequence[Group], album: Album, title: str) -> str:
    """The whole page.

    Args:
        summary: the figures.
        groups: of the gallery.
        album: the photos; ``album.problems`` become a note.
        title: the heading.
    """
    figures = summary.figures
    gallery = _gallery(summary, groups, album)
    notes = [*figures['notes'], *_photo_notes(album)]
    parts = [('scores', 'Scores', _scores(figures))]
    if figures['comparisons']:
        parts.append(('differences', 'Differences', _differences(figures)))
    parts += [('fit', 'How well boxes fit', sections.charts(figures)),
              ('slices', 'Where it is easy and hard', _slices(figures)),
              ('misses', 'What was found instead', _outcomes(figures)), ('cases', 'Cases', gallery),
              ('method', 'How this was computed', _method(figures))]
    links = ''.join(f'<a href="#{name}">{heading}</a>' for name, heading, _ in parts)
    body = ''.join(f'<section id="{name}"><h2>{heading}</h2>{content}</section>' for name, heading, content in parts)
    files = ', '.join(escape(path) for path in figures['annotations'])
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><link rel="icon" href="data:,">'
            f'<style>{STYLE}</style></head><body><main><header><h1>{escape(title)}</h1>'
            f'<p class="meta">{figures["expressions"]:,} expressions over {figures["images"]:,} photos, from {files}</p>'
            f'{sections.lead(figures)}{"".join(f"<p class={chr(34)}note{chr(34)}>{escape(note)}</p>" for note in notes)}'
            f'<nav aria-label="Sections">{links}</nav></header>{body}</main></body></html>\n')


def _scores(figures: dict[str, Any]) -> str:
    return ('<p class="about">Acc@T: share of the expressions whose box overlaps the target with an IoU of at least T. mIoU: '
            f'the mean IoU. Below each figure, in small, its 95 % interval.</p>{sections.scores(figures)}')


def _differences(figures: dict[str, Any]) -> str:
    return ('<p class="about">Paired: both systems answer the same expressions. Green and red: the 95 % interval lies on one '
            'side of zero. p: how often so large a difference would come by chance if the systems were alike.</p>'
            + ''.join(sections.comparison(one, figures['permutations']) for one in figures['comparisons']))


def _slices(figures: dict[str, Any]) -> str:
    if not figures['slices']:
        return '<p>The expressions are all of one kind.</p>'
    return ('<p class="about">Bars run from 0 to 100 %, with the 95 % interval; the thin line is the figure over all '
            f'expressions. An expression may use several kinds of words. In grey: fewer than {sections.FEW} expressions.</p>'
            f'{sections.slices(figures)}')


def _outcomes(figures: dict[str, Any]) -> str:
    source = 'All annotated objects of a photo are known.' if figures['objects'] else \
        'Known are only the objects that some expression of these files refers to, so that more may have been found.'
    return ('<p class="about">An object counts as found at an IoU of at least 0.5, the target badly at 0.1 or more. '
            f'{source}</p>{sections.outcomes(figures)}')


def _gallery(summary: Summary, groups: Sequence[Group], album: Album) -> str:
    parts = [sections.legend(summary.figures['systems'], target=True)]
    for group in groups:
        cards = ''.join(draw_card(index, summary, album) for index in group.cases)
        parts.append(f'<h3>{escape(group.title)}</h3><p class="about">{escape(group.about)}</p>'
                     f'<div class="cards">{cards}</div>')
    return ''.join(parts)


def _photo_notes(album: Album) -> list[str]:
    if not album.problems:
        return []
    first = next(iter(album.problems.values()))
    return [f'{len(album.problems):,} photos of the gallery cannot be read and are left empty: {first}']


def _method(figures: dict[str, Any]) -> str:
    files = ''.join(f'<dt>{escape(system["name"])}</dt>'
                    f'<dd>{escape(system["file"])}<br><code>sha256 {system["sha256"]}</code></dd>'
                    for system in figures['systems'])
    objects = f'<dt>objects</dt><dd>{escape(figures["objects"])}</dd>' if figures['objects'] else ''
    compared = ''
    if figures['comparisons']:
        compared = (f' p-values are those of a paired permutation test of {figures["permutations"]:,} draws, in which all '
                    'differences of a photo change their sign together; each is for one metric and one pair of systems, and is '
                    'not corrected for how many there are.')
    return ('<p>A box is cut to its photo and compared with the official one in pixels of the original photo; an IoU equal to '
            f'the threshold is a hit. Intervals are the middle 95 % of {figures["draws"]:,} bootstrap draws of photos with all '
            f'their expressions (seed {figures["seed"]}); the same draws serve all systems and slices.{compared}</p>'
            f'<dl><dt>annotations</dt><dd>{", ".join(map(escape, figures["annotations"]))}</dd>{objects}{files}'
            f'<dt>made by</dt><dd>mmduet {escape(__version__)}</dd></dl>')
