from itertools import combinations

import numpy as np
import pytest

from mmduet.visualization.palette import COLOURS, colour_of, contrast, ink_on

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB: how the colour-blind see.
BLIND = {'protan': [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
         'deutan': [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
         'tritan': [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]}


def test_contrasts_are_those_of_wcag():
    assert contrast((0, 0, 0), (255, 255, 255)) == contrast((255, 255, 255), (0, 0, 0)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)
    assert contrast((9, 9, 9), (9, 9, 9)) == 1


def test_numbers_on_colours_can_be_read():
    assert all(contrast(colour, ink_on(colour)) >= 4.5 for colour in COLOURS)
    assert colour_of(0) == COLOURS[0] and colour_of(len(COLOURS)) == COLOURS[0]


@pytest.mark.parametrize('kind', BLIND)
def test_the_colour_blind_tell_the_first_colours_apart(kind):
    linear = (np.array(COLOURS[:5]) / 255)**2.2
    seen = np.clip(linear @ np.array(BLIND[kind]).T, 0, 1)**(1 / 2.2) * 255
    assert min(np.abs(one - other).max() for one, other in combinations(seen, 2)) > 40
