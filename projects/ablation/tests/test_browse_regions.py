import re

import numpy as np
import pytest
from PIL import Image

from projects.ablation import browse_regions as tool
from tests.tiny_data import line, make_data_root

CONFIG = 'tests/tiny_cached_config.py'
RANKED = [CONFIG, '--patch', 'ranked']


@pytest.fixture
def root(tmp_path):
    return make_data_root(tmp_path / 'root', [line(expression_id=str(k)) for k in range(6)])


def test_samplers_are_compared_and_the_first_is_drawn(root, tmp_path, capsys):
    tool.browse(tool.parse_args([*RANKED, '--data-root', str(root), '--batches', '2', '--count', '3',
                                 '--samplers', 'LocationSampler,RandomSampler', '--out', str(tmp_path / 'x/regions.png')]))
    said = capsys.readouterr().out
    rows = {line.split('|')[1].strip(): [float(cell) for cell in line.split('|')[2:-1]]
            for line in said.splitlines() if 'Sampler |' in line}
    titles = list(tool.COLUMNS_OF_TABLE)
    assert set(rows) == {'LocationSampler', 'RandomSampler'} and 'over 4 expressions' in said
    # The one by location takes the best positives and the nearest misses.
    for name in ('positive_iou', 'negative_iou'):
        assert rows['LocationSampler'][titles.index(name)] > rows['RandomSampler'][titles.index(name)]
    sheet = np.asarray(Image.open(tmp_path / 'x/regions.png'))
    assert sheet.shape[1] == 3 * (tool.TILE + tool.GAP) + tool.GAP
    assert all((sheet == colour).all(-1).sum() > 100 for colour in (tool.GREEN, tool.BLUE, tool.RED))


def test_of_a_ranked_contrast_the_labels_are_described(root, capsys):
    arguments = [*RANKED, '--data-root', str(root), '--batches', '1', '--samplers', 'SLASampler']
    tool.browse(tool.parse_args([*arguments, '--cfg-options', 'model.head.terms.contrast.type=RegionContrastTerm']))
    assert 'labels of the ranked contrast' not in capsys.readouterr().out
    tool.browse(tool.parse_args(arguments))
    assert re.search(r'semantics move \d+\.\d % of a label, whose mean IoU is 0\.\d{3} \(0\.\d{3} by', capsys.readouterr().out)


@pytest.mark.parametrize(('arguments', 'sentence'), [
    ([*RANKED, '--samplers', 'BestSampler'], 'there is no sampler BestSampler'),
    ([*RANKED, '--samplers', 'MaxIoUAssigner'], 'there is no sampler MaxIoUAssigner'),
    ([CONFIG], 'no head with a term that samples regions: try --patch ranked'),
    ([CONFIG, '--cfg-options', 'model.head.terms.contrast=None'], 'no head with a term that samples regions'),
    (['configs/transvg/transvg_refshapes.py'], 'no head with a term that samples regions')])
def test_what_cannot_be_browsed_is_a_sentence(root, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        tool.browse(tool.parse_args([*arguments, '--data-root', str(root)]))


def test_an_image_file_of_an_unknown_kind_is_refused():
    with pytest.raises(SystemExit):
        tool.parse_args([CONFIG, '--out', 'regions.txt'])
