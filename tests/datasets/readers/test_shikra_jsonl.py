import pytest

from mmduet.datasets.readers import find_dataset
from mmduet.io.errors import DataError
from tests.shared_data import shared
from tests.tiny_sources import write_shikra


@pytest.mark.parametrize(('line', 'message'), [
    ('{', 'not valid JSON'), ('[1]', 'must be a JSON object'), ('{}', "field 'split'|field 'width'|field 'img_path'"),
    ('{"dataset_name": "jxu124/refcocoplus"}', 'the line is of jxu124/refcocoplus, not of refcoco_unc')])
def test_a_bad_line_is_named_by_its_number(tmp_path, line, message):
    with (write_shikra(tmp_path) / 'REC_refcoco_unc_train.jsonl').open('a') as file:
        file.write(line + '\n')
    with pytest.raises(DataError, match=rf'REC_refcoco_unc_train\.jsonl:3: ({message})'):
        find_dataset('refcoco_unc').read(tmp_path)


def test_a_file_of_two_data_sets_is_refused_instead_of_mixed():
    with pytest.raises(DataError, match=r'annotations\.jsonl:1: the line is of jxu124/refcocoplus'):
        find_dataset('refcoco_unc').read(shared('data/refcoco_family/images/annotations.jsonl'))
