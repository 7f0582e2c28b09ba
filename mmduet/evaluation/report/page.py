"""The page: one file of HTML, whose images, cases and script are inside it; nothing is fetched."""
import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmduet import __version__
from mmduet.evaluation.report import phrases
from mmduet.evaluation.report.case_data import gather_cases, to_script
from mmduet.evaluation.report.figures import COLOURS, draw_curve, draw_histogram, embed
from mmduet.evaluation.report.gallery import SMALL, Album, Group, describe_case
from mmduet.evaluation.report.outcomes import OUTCOMES
from mmduet.evaluation.report.published import Published, find_published
from mmduet.evaluation.report.summary import MAIN, MIOU, Summary
from mmduet.evaluation.report.text_tables import make_tables


def draw_page(summary: Summary, groups: Sequence[Group], album: Album, title: str, published: Sequence[Published] | None = None,
              **limits: int) -> str:
    """The whole page, from the templates beside this file, which escape whatever comes from files.

    Args:
        groups: cases that stand on the page without its script.
        published: figures of others on the same splits, to stand beside; None for those of the package's metafiles.
        limits: ``most_cases`` and ``most_bytes`` of ``gather_cases``.
    """
    environment = Environment(loader=PackageLoader('mmduet.evaluation.report'), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.filters.update(count='{:,}'.format, number=phrases.number)
    environment.globals.update(
        chance=phrases.chance, colours=COLOURS, differ=phrases.differ, few=phrases.FEW, interval=phrases.interval, main=MAIN,
        miou=MIOU, outcomes=OUTCOMES, scored=phrases.SCORED, side=phrases.side, small=SMALL,
        titles=phrases.TITLES, version=__version__,
        weaknesses=phrases.weaknesses)
    systems = summary.figures['systems']
    drawn = [(group, [describe_case(index, summary, album) for index in group.cases]) for group in groups]
    cases: dict[str, Any] = gather_cases(summary, album, **limits)
    script = files('mmduet.evaluation.report').joinpath('templates/script.js').read_text(encoding='utf-8')
    return environment.get_template('page.html').render(
        title=title, figures=summary.figures, problems=album.problems, groups=drawn,
        published=find_published(summary.cases) if published is None else published,
        tables=make_tables(summary.figures), cases=cases, data=Markup(to_script(cases)), script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii'),
        histogram=embed(draw_histogram(systems),
                        'Histogram of the IoU: share of the expressions in percent for each twentieth of the IoU'),
        curve=embed(draw_curve(systems), 'Accuracy in percent by the IoU that counts as a hit, with the 95 % interval'))
