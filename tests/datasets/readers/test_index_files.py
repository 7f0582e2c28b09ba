import pytest
import torch

from mmduet.datasets.readers import find_dataset
from mmduet.io.errors import DataError
from tests.tiny_sources import write_index


class Evil:
    def __reduce__(self):
        return (exec, ('raise SystemExit(1)', ))


def test_a_file_that_asks_for_a_class_is_not_opened(tmp_path):
    write_index(tmp_path)
    torch.save([Evil()], tmp_path / 'unc' / 'unc_val.pth')
    with pytest.raises(DataError, match=r'unc_val\.pth holds more than tensors, numbers and text.*exec'):
        find_dataset('refcoco_unc').read(tmp_path)


def test_boxes_of_referit_are_corners_and_those_of_refcoco_are_not(tmp_path):
    write_index(tmp_path, 'referit', box=[4, 5, 14, 25])
    assert find_dataset('referit').read(tmp_path).annotations[0].box == (4, 5, 14, 25)
    write_index(tmp_path, 'unc', box=[4, 5, 14, 25])
    assert find_dataset('refcoco_unc').read(tmp_path).annotations[0].box == (4, 5, 18, 30)


def test_xywh_where_corners_belong_is_an_error_that_says_so(tmp_path):
    with pytest.raises(DataError, match=r"referit_train\.pth: entry 0: field 'box' must have x1 <= x2 .*x, y, width, height\?"):
        find_dataset('referit').read(write_index(tmp_path, 'referit', box=[24, 5, 10, 20]))


def test_an_index_of_another_data_set_is_not_taken(tmp_path):
    with pytest.raises(DataError, match=r'no annotations of refcocoplus_unc .*unc/unc_train\.pth'):
        find_dataset('refcocoplus_unc').read(write_index(tmp_path))


def test_train_and_val_together_are_not_read_beside_train(tmp_path):
    write_index(tmp_path)
    torch.save(torch.load(tmp_path / 'unc' / 'unc_val.pth'), tmp_path / 'unc' / 'unc_trainval.pth')
    assert {a.split for a in find_dataset('refcoco_unc').read(tmp_path).annotations} == {'train', 'val'}


@pytest.mark.parametrize(('entries', 'message'), [
    ([('a.jpg', [1, 2, 3, 4], 'cup')], 'must hold 5 values'), ([('a.jpg', 'x', None, 'cup', [])], 'bbox must be four'),
    ([(7, 'x', [1, 2, 3, 4], 'cup', [])], 'must be text'),
    ([], 'must hold a list of expressions'),
    ([('a.jpg', 'x', [1, 2, -3, 4], 'cup', [])], 'negative size'),
    ([('a.jpg', 'x', [1, 2, float('inf'), 4], 'c', [])], 'finite'),
])
def test_an_entry_of_another_form_is_named(tmp_path, entries, message):
    with pytest.raises(DataError, match=f'unc_train.pth.*{message}'):
        find_dataset('refcoco_unc').read(write_index(tmp_path, entries=entries))


def test_a_truncated_file_is_named(tmp_path):
    write_index(tmp_path)
    path = tmp_path / 'unc' / 'unc_val.pth'
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r'unc_val\.pth is truncated or corrupt'):
        find_dataset('refcoco_unc').read(tmp_path)
