import json

import pytest

from mmduet.datasets.readers import find_dataset
from mmduet.io.errors import DataError
from tests.tiny_sources import write_split_dict


def test_objects_are_references_with_all_their_expressions(tmp_path):
    data = find_dataset('refcoco_unc').read(write_split_dict(tmp_path / 'refcoco-unc'))
    assert [(a.expression_id, a.ref_id) for a in data.annotations] == [
        ('train_0_0', 'train_0'), ('train_0_1', 'train_0'), ('val_0_0', 'val_0')]


@pytest.mark.parametrize(('field', 'value', 'message'), [
    ('image_id', 'five', 'image_id must be a number'), ('bbox', [1, 2, -1, 4], 'negative size'),
    ('bbox', None, 'four numbers')])
def test_a_broken_object_is_named(tmp_path, field, value, message):
    path = write_split_dict(tmp_path) / 'instances.json'
    content = json.loads(path.read_text())
    content['train'][0][field] = value
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=rf'instances\.json: train, object 0: .*{message}'):
        find_dataset('refcoco_unc').read(tmp_path)
