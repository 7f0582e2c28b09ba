"""The page: one file of HTML without scripts, whose images are inside it."""
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mmduet import __version__
from mmduet.evaluation.report import phrases
from mmduet.evaluation.report.figures import COLOURS, draw_curve, draw_histogram, embed
from mmduet.evaluation.report.gallery import Album, Group, describe_case
from mmduet.evaluation.report.outcomes import OUTCOMES
from mmduet.evaluation.report.summary import MAIN, MIOU, Summary

CONSTANTS = {'colours': COLOURS, 'few': phrases.FEW, 'main': MAIN, 'miou': MIOU, 'outcomes': OUTCOMES, 'titles': phrases.TITLES,
             'version': __version__}


def draw_page(summary: Summary, groups: Sequence[Group], album: Album, title: str) -> str:
    """The whole page, from the templates beside this file, which escape whatever comes from files.

    Args:
        summary: the figures.
        groups: of the gallery.
        album: the images; ``album.problems`` become a note.
        title: the heading.
    """
    figures = summary.figures
    shown = [(group, [describe_case(index, summary, album) for index in group.cases]) for group in groups]
    histogram = embed(draw_histogram(figures['systems']),
                      'Histogram of the IoU: share of the expressions in percent for each twentieth of the IoU')
    curve = embed(draw_curve(figures['systems']),
                  'Accuracy in percent by the IoU that counts as a hit, with the 95 % interval')
    return _environment().get_template('page.html').render(
        title=title, figures=figures, notes=[*figures['notes'], *_image_notes(album)], groups=shown, histogram=histogram,
        curve=curve)


def _environment() -> Environment:
    environment = Environment(loader=PackageLoader('mmduet.evaluation.report'), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.filters.update(count='{:,}'.format, number=phrases.number, groupby_in_order=_group)
    environment.globals.update(CONSTANTS, chance=phrases.chance, interval=phrases.interval, side=phrases.side,
                               verdict=phrases.verdict, weaknesses=phrases.weaknesses)
    return environment


def _group(parts: Iterable[Mapping[str, Any]], name: str) -> list[list[Mapping[str, Any]]]:
    """Neighbours that agree in a field; Jinja's own filter would sort them."""
    return [list(members) for _, members in groupby(parts, key=lambda part: part[name])]


def _image_notes(album: Album) -> list[str]:
    if not album.problems:
        return []
    first = next(iter(album.problems.values()))
    return [f'{len(album.problems):,} images of the gallery cannot be read and are left empty: {first}']
