import re

from mmduet.evaluation.report.figures import COLOURS
from mmduet.evaluation.report.outcomes import OUTCOMES
from mmduet.evaluation.report.style import STYLE


def test_every_colour_that_is_used_is_defined():
    assert set(re.findall(r'var\((--[\w-]+)\)', STYLE)) <= set(re.findall(r'(--[\w-]+):', STYLE))
    assert all(f'.s{number} {{' in STYLE for number in range(COLOURS))
    assert all(f'.o{number} {{' in STYLE for number in range(len(OUTCOMES)))


def test_it_cannot_end_its_element():
    assert '<' not in STYLE
