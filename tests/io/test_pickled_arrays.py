import pickle

import numpy as np
import pytest

from mmduet.io.errors import DataError
from mmduet.io.pickles import load_plain_pickle


@pytest.mark.parametrize('protocol', [0, 2, 4, 5])
def test_numbers_and_arrays_of_numpy_become_plain_values(tmp_path, protocol):
    refs = np.array([{'id': np.int64(5), 'box': np.array([1.5, 2]), 'up': np.bool_(True), 'one': np.float32(.5)}], dtype=object)
    content = {'refs': refs, 'table': np.arange(6, dtype='>i4').reshape(2, 3), 'columns': np.asfortranarray([[1, 2], [3, 4]]),
               'names': np.array(['a', 'bc']), 'word': np.str_('café'), 'empty': np.zeros((0, 4)), 'none': np.array([])}
    path = tmp_path / 'refs.p'
    path.write_bytes(pickle.dumps(content, protocol))
    read = load_plain_pickle(path)
    assert read == {'refs': [{'id': 5, 'box': [1.5, 2.0], 'up': True, 'one': 0.5}], 'table': [[0, 1, 2], [3, 4, 5]],
                    'columns': [[1, 2], [3, 4]], 'names': ['a', 'bc'], 'word': 'café', 'empty': [], 'none': []}
    assert type(read['refs']) is list and type(read['refs'][0]['id']) is int and type(read['refs'][0]['up']) is bool


def test_an_array_that_python_2_wrote_keeps_its_bytes(tmp_path):
    # numpy.int64(300) and numpy.int64(0xA9C3), whose bytes are UTF-8 by chance.
    for bytes_, value in ((b'\\x2c\\x01', 300), (b'\\xc3\\xa9', 0xA9C3), (b'\\xe9\\x01', 0x01E9)):
        kind = b"cnumpy\ndtype\n(S'i8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
        (tmp_path / 'r.p').write_bytes(b'cnumpy.core.multiarray\nscalar\n(' + kind + b"S'" + bytes_
                                       + b"\\x00\\x00\\x00\\x00\\x00\\x00'\ntR.")
        assert load_plain_pickle(tmp_path / 'r.p') == value


@pytest.mark.parametrize(('content', 'message'), [
    (pickle.dumps(np.datetime64('2020-01-01')), 'corrupt or no pickle'),
    (pickle.dumps(np.random.default_rng(0).bit_generator.state | {'f': np.add}), r'refuses to load the class'),
    (b"cnumpy\nload\n(S'x'\ntR.", r'numpy\.load; only list.*write it again as such values'),
    (b"cnumpy\ndtype\n(S'V9'\ntR.", 'corrupt or no pickle'), (b"cnumpy\ndtype\n(S'i8'\ntR(I3\ntb.", None),
    (b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.", 'corrupt or no pickle'), (b']K\x01\x85R.', 'calls what is no part of an array'),
    (b'\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00ab.', 'announces')])
def test_nothing_else_of_numpy_is_reached(tmp_path, content, message):
    (tmp_path / 'r.p').write_bytes(content)
    if message is None:
        load_plain_pickle(tmp_path / 'r.p')
        return
    with pytest.raises(DataError, match=message):
        load_plain_pickle(tmp_path / 'r.p')


@pytest.mark.parametrize('state', [(1, (3,), None, False, b'ab'), (1, (9,), 'i1', False, b'ab'), (1, 2)])
def test_an_array_whose_parts_do_not_fit_is_refused(tmp_path, state):
    kind = b"cnumpy\ndtype\n(S'i1'\ntR" if len(state) > 2 and state[2] else b'N'
    shape = b'(I9\nt' if len(state) > 2 else b'I2\n'
    (tmp_path / 'r.p').write_bytes(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n" + shape + kind
                                   + b"I00\nS'ab'\ntb.")
    with pytest.raises(DataError, match=r'r\.p'):
        load_plain_pickle(tmp_path / 'r.p')
