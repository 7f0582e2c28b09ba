import json

import pytest

from mmduet.datasets.readers import find_dataset
from mmduet.io.errors import DataError
from tests.tiny_sources import write_mdetr


def test_expressions_go_by_split_and_number(tmp_path):
    data = find_dataset('refcocog_umd').read(write_mdetr(tmp_path, 'refcocog'))
    assert [a.expression_id for a in data.annotations] == ['train_100', 'train_101', 'val_100']
    assert (data.annotations[0].width, data.annotations[0].ann_id) == (40, 7)


@pytest.mark.parametrize(('change', 'message'), [
    (lambda content: content['annotations'].clear(), 'image 100: an expression must have one box, got 0'),
    (lambda content: content['images'][0].pop('width'), "image 100: field 'width' is missing"),
    (lambda content: content['images'][0].update(caption=None), 'image 100: the expression must be text')])
def test_a_broken_entry_is_named(tmp_path, change, message):
    path = write_mdetr(tmp_path) / 'finetune_refcoco_train.json'
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=f'finetune_refcoco_train.json: {message}'):
        find_dataset('refcoco_unc').read(tmp_path)
