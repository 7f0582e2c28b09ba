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
