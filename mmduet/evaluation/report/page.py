"""The page: one file of HTML without scripts, whose images are inside it."""
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from mmduet import __version__
from mmduet.evaluation.report import phrases
from mmduet.evaluation.report.figures import COLOURS, draw_curve, draw_histogram, embed
from mmduet.evaluation.report.gallery import SMALL, Album, Group, describe_case
from mmduet.evaluation.report.outcomes import OUTCOMES
from mmduet.evaluation.report.summary import MAIN, MIOU, Summary


def draw_page(summary: Summary, groups: Sequence[Group], album: Album, title: str) -> str:
    """The whole page, from the templates beside this file, which escape whatever comes from files."""
    environment = Environment(loader=PackageLoader('mmduet.evaluation.report'), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.filters.update(count='{:,}'.format, number=phrases.number)
    environment.globals.update(
        chance=phrases.chance, colours=COLOURS, differ=phrases.differ, few=phrases.FEW, interval=phrases.interval, main=MAIN,
        miou=MIOU, outcomes=OUTCOMES, scored=phrases.SCORED, side=phrases.side, small=SMALL,
        titles=phrases.TITLES, version=__version__,
        weaknesses=phrases.weaknesses)
    systems = summary.figures['systems']
    return environment.get_template('page.html').render(
        title=title, figures=summary.figures, problems=album.problems,
        groups=[(group, [describe_case(index, summary, album) for index in group.cases]) for group in groups],
        histogram=embed(draw_histogram(systems),
                        'Histogram of the IoU: share of the expressions in percent for each twentieth of the IoU'),
        curve=embed(draw_curve(systems), 'Accuracy in percent by the IoU that counts as a hit, with the 95 % interval'))
