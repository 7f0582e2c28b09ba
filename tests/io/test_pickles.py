import os
import pickle
from collections import OrderedDict

import pytest

from mmduet.io.errors import DataError
from mmduet.io.pickles import load_plain_pickle


class Harmful:
    def __reduce__(self):
        return os.system, ('touch harmed',)


@pytest.mark.parametrize('protocol', [0, 2, 5])
def test_plain_containers_text_and_numbers_are_read_in_every_protocol(tmp_path, protocol):
    content = [{'ref_id': 1, 'box': (1.5, 2), 'sent': 'café', 'none': None, 'yes': True}]
    path = tmp_path / 'refs.p'
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    assert load_plain_pickle(path) == content


def test_a_python_2_pickle_of_byte_strings_is_read_as_latin_1(tmp_path):
    path = tmp_path / 'refs.p'
    path.write_bytes(b"(lp0\nS'caf\\xe9'\np1\naL12L\na.")
    assert load_plain_pickle(path) == ['café', 12]


def test_a_forbidden_class_is_refused_by_name_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'refs.p'
    path.write_bytes(pickle.dumps([Harmful()]))
    with pytest.raises(DataError, match=r'refs\.p: refuses to load the class (posix|nt)\.system; only list, dict'):
        load_plain_pickle(path)
    assert not (tmp_path / 'harmed').exists()


def test_even_a_harmless_class_that_is_not_on_the_list_is_refused(tmp_path):
    path = tmp_path / 'refs.p'
    path.write_bytes(pickle.dumps(OrderedDict(a=1)))
    with pytest.raises(DataError, match=r'collections\.OrderedDict'):
        load_plain_pickle(path)


def test_builtin_functions_are_no_containers(tmp_path):
    path = tmp_path / 'refs.p'
    path.write_bytes(b"c__builtin__\neval\n(S'1'\ntR.")
    with pytest.raises(DataError, match=r'__builtin__\.eval'):
        load_plain_pickle(path)


@pytest.mark.parametrize('content', [b'', b'no pickle', pickle.dumps([1, 2, 3])[:-4]])
def test_an_empty_truncated_or_foreign_file_is_named(tmp_path, content):
    path = tmp_path / 'refs.p'
    path.write_bytes(content)
    with pytest.raises(DataError, match=r'refs\.p'):
        load_plain_pickle(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r'refs\.p does not exist'):
        load_plain_pickle(tmp_path / 'refs.p')


def nested_tuples(levels):
    return b'\x80\x02)' + b''.join(b'q%ch%c\x86' % (level, level) for level in range(levels))


def nested_lists(levels):
    # [[...], [...]], each list being there twice by its number.
    return b'\x80\x02]q\x00' + b''.join(b'](h%ch%ceq%c' % (level, level, level + 1) for level in range(levels))


@pytest.mark.parametrize(('content', 'message'), [
    (b'\x80\x02}' + nested_tuples(60)[2:] + b'K\x01s.', 'keys must be text or numbers'),
    (b'\x80\x02(' + nested_tuples(60)[2:] + b'K\x01d.', 'keys must be text or numbers'),
    (b'\x80\x02}(' + nested_tuples(60)[2:] + b'K\x01u.', 'keys must be text or numbers'),
    (nested_tuples(60) + b'.', 'nested more than 32 deep, or the same ones many times'),
    (nested_lists(60) + b'.', 'nested more than 32 deep, or the same ones many times'),
    (nested_lists(30) + b'.', 'nested more than 32 deep, or the same ones many times'),
    (b']q\x00h\x00a.', 'nested more than 32 deep'),
    (b'\x80\x04\x8f(' + nested_tuples(60)[2:] + b'\x90.', 'corrupt or no pickle'),
    (b'\x80\x04(' + nested_tuples(60)[2:] + b'\x91.', 'corrupt or no pickle'),
    (b'\x80\x02\x8b\x00\x10\x00\x00' + b'\x7f' * 4096 + b'.', 'a number of 32767 bits'),
    (b'\x80\x02}}b.', 'only arrays of NumPy have a state'), (b'\x80\x02\x82\x01.', 'corrupt or no pickle'),
    (b'Px\n.', 'corrupt or no pickle'),
    (b'(S"id"\nios\nsystem\n.', r'os\.system'), (b'\x80\x02]K\x01K\x02s.', 'keys must be text or numbers')])
def test_few_bytes_never_cost_much_time_or_memory(tmp_path, content, message):
    path = tmp_path / 'refs.p'
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf'refs\.p.*{message}'):
        load_plain_pickle(path)


def test_texts_and_lists_that_come_again_are_read(tmp_path):
    shared = ['red', 'ball']
    content = [{'tokens': shared, 'box': (1, 2.5), 'id': number} for number in range(50)]
    (tmp_path / 'refs.p').write_bytes(pickle.dumps(content, protocol=2))
    assert load_plain_pickle(tmp_path / 'refs.p') == content


def test_what_is_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'refs.p')
    with pytest.raises(DataError, match='is no regular file'):
        load_plain_pickle(tmp_path / 'refs.p')
