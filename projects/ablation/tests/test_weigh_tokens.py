import re

import pytest

from projects.ablation import weigh_tokens as tool
from tests.tiny_data import line, make_data_root

CONFIG = 'tests/tiny_cached_config.py'


@pytest.fixture
def root(tmp_path):
    target = line()['box']
    return make_data_root(tmp_path / 'root', [line(expression_id=str(k)) for k in range(6)],
                          objects=[{'image_id': 1, 'boxes': [target, [26.0, 0.0, 39.0, 14.0]]}])


def test_the_tokens_of_a_few_batches_are_weighed(root, capsys):
    tool.weigh(tool.parse_args([CONFIG, '--data-root', str(root), '--batches', '2']))
    said = capsys.readouterr().out
    counts = re.search(r'another object counts (\d\.\d\d) times, one on the ground (\d\.\d\d) times', said)
    on_objects, ground = map(float, counts.groups())
    assert 1 <= on_objects <= 2 and 1 <= ground <= 2


@pytest.mark.parametrize('arguments', [
    [CONFIG, '--patch', 'ranked'],
    [CONFIG, '--patch', 'contrast_location'],
    ['configs/transvg/transvg_refshapes.py']])
def test_what_weighs_nothing_by_semantics_is_refused(root, arguments):
    with pytest.raises(ValueError, match='has no dense contrast that weighs by semantics'):
        tool.weigh(tool.parse_args([*arguments, '--data-root', str(root)]))
