import json

import pytest

from mmduet.evaluation.report.cases import read_cases
from mmduet.evaluation.report.published import Published, find_published
from mmduet.io.errors import DataError
from tests.report_data import make_root


def cases_of(root, dataset):
    annotations = make_root(root)
    (root / 'manifest.json').write_text(json.dumps({'dataset': dataset, 'images': 'images'}))
    return read_cases([annotations])


def test_figures_of_the_packages_metafiles_are_those_of_data_set_and_split(tmp_path):
    found = find_published(cases_of(tmp_path, 'refcoco_unc'))
    assert Published('TransVG', 'transvg_refcoco', 'val', 80.5) in found
    assert {one.split for one in found} == {'val'} and len({one.collection for one in found}) == 4


def test_data_of_ones_own_have_none(tmp_path):
    cases = cases_of(tmp_path, 'own')
    assert find_published(cases) == []
    (tmp_path / 'manifest.json').unlink()
    assert find_published(cases) == []


def test_a_broken_metafile_is_named(tmp_path):
    (tmp_path / 'x').mkdir()
    (tmp_path / 'x/metafile.yml').write_text('Models: [{Results: 3')
    with pytest.raises(DataError, match=r'metafile\.yml is no metafile'):
        find_published(cases_of(tmp_path / 'root', 'refcoco_unc'), tmp_path)
    (tmp_path / 'x/metafile.yml').write_text('Models: [{Name: a, In Collection: b, Results: [{Dataset: RefCOCO val, '
                                             'Metrics: {Acc@0.5: 7}}]}]')
    assert find_published(cases_of(tmp_path / 'root', 'refcoco_unc'), tmp_path) == [Published('b', 'a', 'val', 7.0)]
